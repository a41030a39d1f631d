// What the threads of a scenario can do: the explorer's side of engine.hpp and weft_model_atomic.hpp.

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/check.hpp"
#include "explorer.hpp"

namespace weft::model {

namespace {

// Labels of the history: which operation it was.
enum Label : std::uint64_t {
  kLoad = 1,
  kStore,
  kChange,
  kFence,
  kPlainLoad,
  kPlainStore,
  kPoll,
  kRing,
  kWait,
  kFutex,
  kCheckpoint
};

const char* from_src(const char* file) noexcept {
  const char* const found = std::strstr(file, "src/");
  return found != nullptr && std::strstr(file, "tests/") == nullptr ? found : nullptr;
}

}  // namespace

std::string describe(const Place& place) {
  static constexpr const char* kRoles[] = {"acquire", "release", "store", "fence", "barrier"};
  return place.file + ":" + std::to_string(place.line) + " " + kRoles[static_cast<unsigned>(place.role)];
}

std::string Report::summary() const {
  char line[256];
  std::snprintf(line, sizeof line, "%-58s %8llu executions %8llu states %9llu steps %6.2f s", name.c_str(),
                static_cast<unsigned long long>(executions), static_cast<unsigned long long>(states),
                static_cast<unsigned long long>(steps), seconds);
  return line;
}

bool Explorer::mutated(Site site, Role role) {
  const char* const file = from_src(site.file);
  if (file == nullptr) return false;
  const auto key = reinterpret_cast<std::uintptr_t>(site.file) * 31 + static_cast<unsigned>(site.line) * 8U +
                   static_cast<unsigned>(role);
  if (noted_.insert(key).second) report_.places.insert({file, site.line, role});
  const Place* const mutation = options_.mutation;
  return mutation != nullptr && mutation->line == site.line && mutation->role == role &&
         mutation->file == file;
}

std::memory_order Explorer::weaken(std::memory_order order, Site site) {
  if (order == std::memory_order_seq_cst || order == std::memory_order_consume) {
    fail("a seq_cst or consume access: not modelled");
  }
  if (order == std::memory_order_acquire && mutated(site, Role::acquire)) return std::memory_order_relaxed;
  if (order == std::memory_order_release && mutated(site, Role::release)) return std::memory_order_relaxed;
  return order;
}

void Explorer::record(const char* what, int word, std::uint64_t value, unsigned behind, Site site) {
  trace_.push_back({static_cast<unsigned>(current_), what, word, value, behind, site});
}

void Explorer::check_race(unsigned word, bool writes, bool plain, Site site) {
  const auto thread = static_cast<unsigned>(current_);
  Word& accessed = memory_.word(word);
  if (!memory_.race_free(thread, word, writes, plain)) {
    record(writes ? "races by writing" : "races by reading", static_cast<int>(word), 0, 0, site);
    fail("a data race on " + word_name(word));
  }
  if (!writes)
    (plain ? accessed.plain_reads : accessed.atomic_reads)[thread] =
        memory_.of(thread).current.clocks[thread];
}

std::uint64_t Explorer::load(const void* address, unsigned bytes, std::memory_order order, Site site) {
  order = weaken(order, site);
  before(Next::step);
  const auto thread = static_cast<unsigned>(current_);
  const unsigned index = memory_.word_at(address, bytes);
  check_race(index, false, false, site);
  const auto count = static_cast<std::uint32_t>(memory_.word(index).messages.size());
  const std::uint32_t first = memory_.first_readable(thread, index);
  // The newest first: most failures need few old values.
  const std::uint32_t message = count - 1 - choose(count - first);
  const std::uint64_t value = memory_.read(thread, index, message, order);
  const Stamp stamp = memory_.word(index).messages[message].stamp;
  if (self().polling) self().looked.emplace_back(index, stamp);
  remember_read(kLoad, index, stamp, value);
  record(order == std::memory_order_acquire ? "loads (acquire)" : "loads (relaxed)", static_cast<int>(index),
         value, count - 1 - message, site);
  return value;
}

void Explorer::store(void* address, unsigned bytes, std::uint64_t value, std::memory_order order, Site site) {
  order = weaken(order, site);
  if (mutated(site, Role::store)) return;
  before_store();
  const auto thread = static_cast<unsigned>(current_);
  const unsigned index = memory_.word_at(address, bytes);
  check_race(index, true, false, site);
  memory_.followable(thread, index, candidates_);
  const std::uint32_t after = candidates_[candidates_.size() - 1 - choose(candidates_.size())];
  memory_.write(thread, index, after, value, order, false, false);
  remember_read(kStore, index, memory_.of(thread).current.stamps[index], 0);
  record(order == std::memory_order_release ? "stores (release)" : "stores (relaxed)",
         static_cast<int>(index), value, 0, site);
}

std::uint64_t Explorer::change(void* address, unsigned bytes, Change how, std::uint64_t operand,
                               std::memory_order order, Site site) {
  order = weaken(order, site);
  before(Next::step);
  const auto thread = static_cast<unsigned>(current_);
  const unsigned index = memory_.word_at(address, bytes);
  check_race(index, true, false, site);
  memory_.followable(thread, index, candidates_);
  const std::uint32_t from = candidates_[candidates_.size() - 1 - choose(candidates_.size())];
  const std::uint64_t old = memory_.read(thread, index, from, order);
  memory_.write(thread, index, from, how(old, operand), order, true, false);
  remember_read(kChange, index, memory_.of(thread).current.stamps[index], old);
  record("changes, reading", static_cast<int>(index), old, 0, site);
  return old;
}

void Explorer::fence(Site site) {
  if (mutated(site, Role::fence)) return;
  before(Next::step);
  memory_.fence(static_cast<unsigned>(current_));
  remember_read(kFence, memory_.hash_of_fences(), 0, 0);
  record("passes a full fence", -1, 0, 0, site);
}

std::uint32_t Explorer::plain_load(const void* address, Site site) {
  if (scenario_->checkpoints()) fail("plain memory in a scenario with checkpoints");
  const auto thread = static_cast<unsigned>(current_);
  memory_.step(thread);
  const unsigned index = memory_.word_at(address, 4);
  check_race(index, false, true, site);
  const auto last = static_cast<std::uint32_t>(memory_.word(index).messages.size()) - 1;
  const std::uint64_t value = memory_.read(thread, index, last, std::memory_order_relaxed);
  remember(kPlainLoad, index, memory_.word(index).messages[last].stamp);
  record("reads", static_cast<int>(index), value, 0, site);
  return static_cast<std::uint32_t>(value);
}

void Explorer::plain_store(void* address, std::uint32_t value, Site site) {
  if (scenario_->checkpoints()) fail("plain memory in a scenario with checkpoints");
  before_store();
  const auto thread = static_cast<unsigned>(current_);
  const unsigned index = memory_.word_at(address, 4);
  check_race(index, true, true, site);
  const auto last = static_cast<std::uint32_t>(memory_.word(index).messages.size()) - 1;
  memory_.write(thread, index, last, value, std::memory_order_relaxed, false, true);
  remember(kPlainStore, index, memory_.of(thread).current.stamps[index]);
  record("writes", static_cast<int>(index), value, 0, site);
}

// Which value of a word it was makes the execution, but the thread has seen no more of it than the value.
void Explorer::remember_read(std::uint64_t what, std::uint64_t object, std::uint64_t which,
                             std::uint64_t value) {
  if (scenario_->checkpoints()) {
    remember(what, value, 0);
  } else {
    remember(what, object, which);
  }
}

void Explorer::checkpoint(std::uint64_t local) {
  self().history = mix(local, kCheckpoint);
  self().looked.clear();
}

void Explorer::begin_poll() {
  self().polling = true;
  self().looked.clear();
}

void Explorer::end_poll() {
  Thread& thread = self();
  const auto index = static_cast<unsigned>(current_);
  before(Next::newer);
  // One of the words that have a newer value is read anew; which one is a choice.
  std::vector<std::pair<unsigned, Stamp>> newer;
  for (const auto& [word, stamp] : thread.looked) {
    for (const Message& message : memory_.word(word).messages) {
      if (message.stamp > stamp) {
        newer.emplace_back(word, message.stamp);
        break;
      }
    }
  }
  const auto [word, stamp] = newer[choose(newer.size())];
  memory_.raise(index, word, stamp);
  remember_read(kPoll, word, stamp, 0);
}

Explorer::BellState& Explorer::bell_at(const void* address) {
  for (BellState& bell : bells_) {
    if (bell.address == address) return bell;
  }
  return bells_.emplace_back(BellState{address, 0, 0, {}});
}

void Explorer::ring(const void* bell, Site site) {
  before(Next::step);
  BellState& state = bell_at(bell);
  ++state.count;
  state.view.join(memory_.of(static_cast<unsigned>(current_)).current);
  // How many rings came before is seen by nobody where checkpoints say all that matters.
  remember(kRing, reinterpret_cast<std::uintptr_t>(bell), scenario_->checkpoints() ? 0 : ++state.rings);
  record("rings the bell", -1, 0, 0, site);
}

void Explorer::wait(const void* bell, Site site) {
  bell_at(bell);
  unsigned index = 0;
  while (bells_[index].address != bell) ++index;
  record("sleeps at the bell", -1, 0, 0, site);
  before(Next::bell, index);
  BellState& state = bells_[index];
  memory_.join(static_cast<unsigned>(current_), state.view);
  state.count = 0;
  remember(kWait, reinterpret_cast<std::uintptr_t>(bell), state.rings);
  record("is woken by the bell", -1, 0, 0, site);
}

bool Explorer::futex_wait(const void* address, std::uint32_t expected, bool timed) {
  const Site site{"the kernel", 0};
  before(Next::step);
  const auto thread = static_cast<unsigned>(current_);
  // futex(2): whoever changes the word and then wakes sees us in the queue, or we see the change.
  memory_.fence(thread);
  const unsigned index = memory_.word_at(address, 4);
  const auto count = static_cast<std::uint32_t>(memory_.word(index).messages.size());
  const std::uint32_t message = count - 1 - choose(count - memory_.first_readable(thread, index));
  const std::uint64_t value = memory_.read(thread, index, message, std::memory_order_relaxed);
  const Stamp stamp = memory_.word(index).messages[message].stamp;
  remember_read(kFutex, stamp, memory_.hash_of_fences(), value);
  record("futex_wait looks at", static_cast<int>(index), value, count - 1 - message, site);
  if (value != expected) return false;
  self().looked.assign(1, {index, stamp});
  self().timed = timed;
  self().woken = false;
  before(Next::futex, index);
  const bool woken = self().woken;
  if (!woken)
    memory_.raise(thread, index,
                  static_cast<Stamp>(stamp + 1));  // a timeout: a poll, of which only news count
  self().woken = false;
  remember(kFutex, woken ? 1 : 2, 0);
  record(woken ? "is woken from the futex" : "wakes at the timeout", -1, 0, 0, site);
  return true;
}

void Explorer::futex_wake_one(const void* address) {
  before(Next::step);
  memory_.fence(static_cast<unsigned>(current_));
  const unsigned index = memory_.word_at(address, 4);
  candidates_.clear();
  for (unsigned other = 0; other < threads_.size(); ++other) {
    const Thread& thread = threads_[other];
    if (thread.next == Next::futex && thread.object == index && !thread.woken) candidates_.push_back(other);
  }
  const unsigned woken = candidates_.empty() ? 0 : candidates_[choose(candidates_.size())] + 1;
  if (woken != 0) threads_[woken - 1].woken = true;
  remember_read(kFutex, woken, memory_.hash_of_fences(), woken);
  record(woken != 0 ? "futex_wake wakes one" : "futex_wake finds nobody", -1, 0, 0, {"the kernel", 0});
}

void Explorer::process_wide_fence(Site site) {
  if (mutated(site, Role::barrier)) return;
  fence({"the kernel", 0});
  record("asks for a fence on every thread", -1, 0, 0, site);
  for (unsigned other = 0; other < threads_.size(); ++other) {
    if (static_cast<int>(other) == current_) continue;
    if (threads_[other].next == Next::nothing) {
      memory_.fence(other);  // gone from its processor, and nothing is left in the store buffer
    } else {
      threads_[other].fence_due = true;
    }
  }
  before(Next::interrupts);
  memory_.fence(static_cast<unsigned>(current_));
  remember_read(kFence, memory_.hash_of_fences(), 1, 1);
}

void Explorer::await_end_of(unsigned thread) {
  if (scenario_->checkpoints()) fail("waits for an end in a scenario with checkpoints");
  before(Next::end_of, thread);
  memory_.join_thread(static_cast<unsigned>(current_), thread);
  remember(kWait, thread, threads_[thread].dead ? 1 : 0);
  remember(kWait, threads_[thread].history, 0);
  record(threads_[thread].dead ? "learns of a death" : "learns of an end", -1, thread, 0, {"", 0});
}

void Explorer::name_word(const void* address, const char* name, int index) {
  if (report_.executions != 0) return;
  names_[reinterpret_cast<std::uintptr_t>(address)] =
      index < 0 ? name : std::string{name} + "[" + std::to_string(index) + "]";
}

std::string Explorer::word_name(unsigned word) const {
  const std::uintptr_t address = memory_.word(word).address;
  const auto found = names_.upper_bound(address);
  if (found == names_.begin()) return "word " + std::to_string(word);
  const auto& [base, name] = *std::prev(found);
  return base == address ? name : name + " + " + std::to_string(address - base);
}

std::string Explorer::format_trace() const {
  std::string text;
  for (const Event& event : trace_) {
    text += "  thread " + std::to_string(event.thread) + " " + event.what;
    if (event.word >= 0)
      text += " " + word_name(static_cast<unsigned>(event.word)) + " = " + std::to_string(event.value);
    if (event.behind != 0) text += " (" + std::to_string(event.behind) + " behind)";
    if (event.site.line != 0) {
      const char* const file = std::strrchr(event.site.file, '/');
      text += std::string{"   "} + (file != nullptr ? file + 1 : event.site.file) + ":" +
              std::to_string(event.site.line);
    }
    text += "\n";
  }
  return text;
}

// The free functions.

bool running() noexcept { return Explorer::active != nullptr && Explorer::active->in_thread(); }

unsigned current_thread() noexcept { return running() ? Explorer::active->current() : 0; }

std::uint64_t atomic_load(const void* word, unsigned bytes, std::memory_order order, Site site) noexcept {
  return Explorer::active->load(word, bytes, order, site);
}
void atomic_store(void* word, unsigned bytes, std::uint64_t value, std::memory_order order,
                  Site site) noexcept {
  Explorer::active->store(word, bytes, value, order, site);
}
std::uint64_t atomic_change(void* word, unsigned bytes, Change change, std::uint64_t operand,
                            std::memory_order order, Site site) noexcept {
  return Explorer::active->change(word, bytes, change, operand, order, site);
}
void fence(Site site) noexcept { Explorer::active->fence(site); }

Report explore(const std::string& name, std::size_t bytes, const Make& make, const Options& options) {
  Explorer explorer{name, bytes, make, options};
  return explorer.run();
}

void require(bool condition, const char* message) {
  if (condition) return;
  if (running()) Explorer::active->fail(message);
  Explorer::active->note_failure(message);
}
void checkpoint(std::uint64_t local) { Explorer::active->checkpoint(local); }
void begin_poll() { Explorer::active->begin_poll(); }
void end_poll() { Explorer::active->end_poll(); }
std::uint32_t plain_load(const void* word, const char* file, int line) {
  return Explorer::active->plain_load(word, {file, line});
}
void plain_store(void* word, std::uint32_t value, const char* file, int line) {
  Explorer::active->plain_store(word, value, {file, line});
}
void await_end_of(unsigned thread) { Explorer::active->await_end_of(thread); }
bool died(unsigned thread) { return Explorer::active->died(thread); }
void name_word(const void* address, const char* name, int index) {
  if (Explorer::active != nullptr) Explorer::active->name_word(address, name, index);
}
void Bell::ring(const char* file, int line) { Explorer::active->ring(&unique_, {file, line}); }
void Bell::wait(const char* file, int line) { Explorer::active->wait(&unique_, {file, line}); }
bool futex_wait(const void* word, std::uint32_t expected, bool timed) {
  return Explorer::active->futex_wait(word, expected, timed);
}
void futex_wake_one(const void* word) { Explorer::active->futex_wake_one(word); }
void process_wide_fence(const char* file, int line) { Explorer::active->process_wide_fence({file, line}); }

}  // namespace weft::model

namespace weft::base {

// In place of base/check.cpp: a check that fails in a modelled thread is a failure of that execution.
void check_failed(const char* expression, const char* message, const char* file, int line) noexcept {
  if (model::running()) model::Explorer::active->fail(std::string{"check failed: "} + message);
  std::fprintf(stderr, "%s:%d: %s (%s)\n", file, line, message, expression);
  std::abort();
}

}  // namespace weft::base
