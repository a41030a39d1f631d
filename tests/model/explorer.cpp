#include "explorer.hpp"

#include <sys/mman.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#if defined(__SANITIZE_ADDRESS__)
#define WEFT_MODEL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_MODEL_ASAN 1
#endif
#endif
#if defined(WEFT_MODEL_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace weft::model {

Explorer* Explorer::active = nullptr;

namespace {

constexpr std::size_t kStackBytes = 128 * 1024;
constexpr std::size_t kStepsMax = 20'000;

}  // namespace

Explorer::Explorer(const std::string& name, std::size_t bytes, const Make& make, const Options& options)
    : options_{options}, make_{make}, memory_block_{::operator new (bytes, std::align_val_t{64})} {
  report_.name = name;
  stack_bytes_ = kStackBytes * kThreadsMax;
  void* const stacks =
      ::mmap(nullptr, stack_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stacks == MAP_FAILED) std::abort();
  stacks_ = static_cast<std::byte*>(stacks);
  active = this;
}

Explorer::~Explorer() {
  active = nullptr;
  ::munmap(stacks_, stack_bytes_);
  ::operator delete (memory_block_, std::align_val_t{64});
}

Report Explorer::run() {
  const std::clock_t begin = std::clock();
  do {
    execute();
    ++report_.executions;
    if (!failed_ && report_.executions > options_.executions_max) {
      note_failure("not exhaustive: more than executions_max executions");
    }
  } while (!failed_ && advance());
  report_.states = seen_.size();
  report_.seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  return report_;
}

void Explorer::begin_execution() {
  depth_ = 0;
  trace_.clear();
  bells_.clear();
  memory_.reset();
  scenario_ = make_(memory_block_);
  const unsigned count = scenario_->thread_count();
  threads_.resize(count);
  store_points_ = scenario_->interrupted() || !options_.reduced;
  for (unsigned index = 0; index < count; ++index) {
    Thread& thread = threads_[index];
    std::vector<std::pair<unsigned, Stamp>> looked = std::move(thread.looked);
    looked.clear();
    thread = Thread{};
    thread.looked = std::move(looked);
    thread.mortal = scenario_->mortal(index);
    std::byte* const stack = stacks_ + kStackBytes * index;
#if defined(WEFT_MODEL_ASAN)
    ASAN_UNPOISON_MEMORY_REGION(stack, kStackBytes);
#endif
    thread.context =
        boost::context::detail::make_fcontext(stack + kStackBytes, kStackBytes, &Explorer::enter);
  }
  // Up to its first operation a thread touches nothing that is shared.
  for (unsigned index = 0; index < count && !failed_; ++index) resume(index);
}

void Explorer::execute() {
  begin_execution();
  while (!failed_ && schedule()) {
  }
  // The scenario is not destroyed where an execution was cut short: its threads still stand in it.
  if (failed_ && report_.trace.empty()) report_.trace = format_trace();
}

// One transition. False at the end of the execution, or where its state has been explored before.
bool Explorer::schedule() {
  collect(transitions_);
  if (transitions_.empty()) {
    for (const Thread& thread : threads_) {
      if (thread.next != Next::nothing) {
        note_failure("nobody can go on: " + who_waits());
        return false;
      }
    }
    scenario_->end();
    if (!failed_) scenario_->~Scenario();
    return false;
  }
  if (options_.reduced && depth_ == path_.size() && !seen_.insert(state_key()).second) return false;
  if (++report_.steps; trace_.size() > kStepsMax) {
    note_failure("an execution does not end");
    return false;
  }
  const Transition transition = transitions_[choose(transitions_.size())];
  Thread& thread = threads_[transition.thread];
  switch (transition.move) {
    case Move::step:
      resume(transition.thread);
      break;
    case Move::kill:
      thread.dead = true;
      thread.next = Next::nothing;
      trace_.push_back({transition.thread, "dies", -1, 0, 0, {"", 0}});
      break;
    case Move::interrupt:
      thread.fence_due = false;
      memory_.fence(transition.thread);
      if (!scenario_->checkpoints()) thread.history = mix(thread.history, memory_.hash_of_fences());
      trace_.push_back({transition.thread, "is interrupted by a fence", -1, 0, 0, {"", 0}});
      break;
  }
  return true;
}

void Explorer::collect(std::vector<Transition>& found) const {
  found.clear();
  for (unsigned index = 0; index < threads_.size(); ++index) {
    const Thread& thread = threads_[index];
    if (thread.next != Next::nothing && enabled(thread)) found.push_back({Move::step, index});
    if (thread.next != Next::nothing && thread.mortal) found.push_back({Move::kill, index});
    if (thread.fence_due) found.push_back({Move::interrupt, index});
  }
}

bool Explorer::newer_than_looked(const Thread& thread) const {
  for (const auto& [word, stamp] : thread.looked) {
    if (memory_.word(word).messages.back().stamp > stamp) return true;
  }
  return false;
}

bool Explorer::enabled(const Thread& thread) const {
  switch (thread.next) {
    case Next::step:
      return true;
    case Next::newer:
      return newer_than_looked(thread);
    case Next::bell:
      return bells_[thread.object].count > 0;
    case Next::futex:
      return thread.woken || (thread.timed && newer_than_looked(thread));
    case Next::interrupts:
      for (const Thread& other : threads_) {
        if (other.fence_due) return false;
      }
      return true;
    case Next::end_of:
      return threads_[thread.object].next == Next::nothing;
    case Next::nothing:
      break;
  }
  return false;
}

std::string Explorer::who_waits() const {
  static constexpr const char* kWaits[] = {
      "runs",   "polls", "sleeps at a bell", "sleeps in a futex", "waits for interrupts", "waits for an end",
      "is done"};
  std::string text;
  for (unsigned index = 0; index < threads_.size(); ++index) {
    text += (index == 0 ? "thread " : ", thread ") + std::to_string(index) + " " +
            (threads_[index].dead ? "is dead" : kWaits[static_cast<unsigned>(threads_[index].next)]);
  }
  return text;
}

// What each thread has done and seen, and where its stores stand in their words' orders, is the whole execution so far.
std::uint64_t Explorer::state_key() const {
  std::uint64_t key = scenario_->checkpoints() ? memory_key() : 0;
  for (const Thread& thread : threads_) {
    const unsigned flags = (thread.dead ? 1U : 0) | (thread.woken ? 2U : 0) | (thread.fence_due ? 4U : 0);
    key = mix(mix(key, thread.history), static_cast<unsigned>(thread.next) << 4 | flags);
  }
  return key;
}

// Where a checkpoint has replaced a thread's history, what the memory is has to be said as well.
std::uint64_t Explorer::memory_key() const {
  std::array<bool, kThreadsMax> alive{};
  for (unsigned index = 0; index < threads_.size(); ++index)
    alive[index] = threads_[index].next != Next::nothing;
  std::uint64_t key = memory_.hash_of_all(alive.data(), static_cast<unsigned>(threads_.size()));
  for (const Thread& thread : threads_) {
    for (const auto& [word, stamp] : thread.looked) key = mix(mix(key, word), stamp);
  }
  for (const BellState& bell : bells_) {
    // Summed: bells are in the order in which they were first used.
    key += mix(mix(reinterpret_cast<std::uintptr_t>(bell.address), bell.count),
               memory_.hash_of_view(bell.view, View{}));
  }
  return key;
}

std::uint32_t Explorer::choose(std::size_t count) {
  if (count == 1) return 0;
  if (depth_ == path_.size()) path_.push_back({0, static_cast<std::uint32_t>(count)});
  if (path_[depth_].count != count) {
    std::fprintf(stderr, "model: the scenario does not repeat itself\n");
    std::abort();
  }
  return path_[depth_++].taken;
}

bool Explorer::advance() {
  while (!path_.empty()) {
    if (++path_.back().taken < path_.back().count) return true;
    path_.pop_back();
  }
  return false;
}

void Explorer::enter(boost::context::detail::transfer_t from) {
  Explorer& explorer = *active;
#if defined(WEFT_MODEL_ASAN)
  __sanitizer_finish_switch_fiber(nullptr, &explorer.main_stack_, &explorer.main_stack_bytes_);
#endif
  explorer.scheduler_ = from.fctx;
  explorer.scenario_->run(static_cast<unsigned>(explorer.current_));
  explorer.self().next = Next::nothing;
  explorer.yield();
  std::abort();
}

void Explorer::resume(unsigned index) {
  current_ = static_cast<int>(index);
  Thread& thread = threads_[index];
#if defined(WEFT_MODEL_ASAN)
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, stacks_ + kStackBytes * index, kStackBytes);
#endif
  thread.context = boost::context::detail::jump_fcontext(thread.context, nullptr).fctx;
#if defined(WEFT_MODEL_ASAN)
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
  current_ = -1;
}

void Explorer::yield() {
  Thread& thread = self();
#if defined(WEFT_MODEL_ASAN)
  __sanitizer_start_switch_fiber(&thread.fake_stack, main_stack_, main_stack_bytes_);
#endif
  scheduler_ = boost::context::detail::jump_fcontext(scheduler_, nullptr).fctx;
#if defined(WEFT_MODEL_ASAN)
  __sanitizer_finish_switch_fiber(thread.fake_stack, &main_stack_, &main_stack_bytes_);
#else
  static_cast<void>(thread);
#endif
}

void Explorer::before(Next next, unsigned object) {
  self().next = next;
  self().object = object;
  yield();
  memory_.step(static_cast<unsigned>(current_));
}

// Others need not be let in before a store: whoever would have missed it can still read the older values afterwards,
// and stores of others can still come before it. Only a death or an interrupt must be able to.
void Explorer::before_store() {
  if (store_points_ || self().mortal) {
    before(Next::step);
  } else {
    memory_.step(static_cast<unsigned>(current_));
  }
}

void Explorer::remember(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  self().history = mix(mix(mix(self().history, a), b), c);
}

void Explorer::note_failure(const std::string& message) {
  if (!failed_) report_.failure = message;
  failed_ = true;
}

void Explorer::fail(const std::string& message) {
  note_failure(message);
  yield();
  std::abort();
}

}  // namespace weft::model
