#include "memory.hpp"

#include <cstdio>
#include <cstdlib>

namespace weft::model {

namespace {

bool acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel;
}
bool releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel;
}

[[noreturn]] void unsupported(const char* what) {
  std::fprintf(stderr, "model: %s\n", what);
  std::abort();
}

constexpr std::size_t kTableSlots = 1024;

}  // namespace

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) noexcept {
  hash ^= value + 0x9e37'79b9'7f4a'7c15U + (hash << 6) + (hash >> 2);
  hash *= 0xff51'afd7'ed55'8ccdU;
  return hash ^ (hash >> 32);
}

void View::join_stamps(const View& other) noexcept {
  for (unsigned i = 0; i < kWordsMax; ++i)
    stamps[i] = other.stamps[i] > stamps[i] ? other.stamps[i] : stamps[i];
}

void View::join(const View& other) noexcept {
  join_stamps(other);
  for (unsigned i = 0; i < kThreadsMax; ++i)
    clocks[i] = other.clocks[i] > clocks[i] ? other.clocks[i] : clocks[i];
}

void Memory::reset() noexcept {
  for (Word& word : words_) word.touched = false;
  threads_ = {};
  fences_ = {};
}

unsigned Memory::word_at(const void* address, unsigned bytes) {
  const auto key = reinterpret_cast<std::uintptr_t>(address);
  if (table_.empty()) table_.resize(kTableSlots);
  std::size_t slot = (key >> 2) * 0x9e37'79b9U % kTableSlots;
  while (table_[slot] != 0 && words_[table_[slot] - 1].address != key) slot = (slot + 1) % kTableSlots;
  if (table_[slot] == 0) {
    if (words_.size() == kWordsMax) unsupported("more words than kWordsMax");
    words_.emplace_back();
    words_.back().address = key;
    words_.back().bytes = bytes;
    table_[slot] = static_cast<std::uint32_t>(words_.size());
  }
  const unsigned index = table_[slot] - 1;
  Word& word = words_[index];
  if (word.bytes != bytes) unsupported("one word read in two sizes");
  if (!word.touched) {
    word.touched = true;
    word.messages.clear();
    word.atomic_reads = {};
    word.plain_reads = {};
    Message& first = word.messages.emplace_back();
    first.initial = true;
    std::memcpy(&first.value, address, bytes);
  }
  return index;
}

std::uint32_t Memory::first_readable(unsigned thread, unsigned word) const noexcept {
  const std::vector<Message>& messages = words_[word].messages;
  const Stamp seen = threads_[thread].current.stamps[word];
  auto index = static_cast<std::uint32_t>(messages.size());
  while (index > 0 && messages[index - 1].stamp >= seen) --index;
  return index;
}

void Memory::followable(unsigned thread, unsigned word, std::vector<std::uint32_t>& found) const {
  const std::vector<Message>& messages = words_[word].messages;
  found.clear();
  for (std::uint32_t index = first_readable(thread, word); index < messages.size(); ++index) {
    if (index + 1 == messages.size() || !messages[index + 1].chained) found.push_back(index);
  }
}

std::uint64_t Memory::read(unsigned thread, unsigned word, std::uint32_t message,
                           std::memory_order order) noexcept {
  Knowledge& own = threads_[thread];
  const Message& from = words_[word].messages[message];
  raise(thread, word, from.stamp);
  own.acquired.join(from.view);
  if (acquires(order)) own.current.join(from.view);
  return from.value;
}

void Memory::write(unsigned thread, unsigned word, std::uint32_t after, std::uint64_t value,
                   std::memory_order order, bool chained, bool plain) {
  std::vector<Message>& messages = words_[word].messages;
  const bool last = after + 1 == messages.size();
  const unsigned below = messages[after].stamp;
  const unsigned stamp = last ? below + kStampStep : (below + messages[after + 1].stamp) / 2;
  if (stamp == below || stamp > UINT16_MAX) unsupported("no stamp is left between two values");
  raise(thread, word, static_cast<Stamp>(stamp));

  Knowledge& own = threads_[thread];
  Message added;
  added.value = value;
  added.stamp = static_cast<Stamp>(stamp);
  added.clock = own.current.clocks[thread];
  added.writer = static_cast<std::uint8_t>(thread);
  added.chained = chained;
  added.plain = plain;
  if (!plain) {
    added.view = releases(order) ? own.current : own.released;
    added.view.stamps[word] = added.stamp;
    if (chained) added.view.join(messages[after].view);
  }
  messages.insert(messages.begin() + after + 1, added);
}

void Memory::fence(unsigned thread) noexcept {
  Knowledge& own = threads_[thread];
  own.current.join(own.acquired);
  fences_.join_stamps(own.current);
  own.current.join_stamps(fences_);  // the order of fences is no happens-before: clocks stay as they are
  own.acquired = own.current;
  own.released = own.current;
}

std::uint64_t Memory::hash_of_fences() const noexcept {
  std::uint64_t hash = 0;
  for (unsigned i = 0; i < kWordsMax; i += 4) {
    std::uint64_t four = 0;
    std::memcpy(&four, &fences_.stamps[i], sizeof four);
    if (four != 0) hash = mix(mix(hash, i), four);
  }
  return hash;
}

std::uint64_t Memory::hash_of_view(const View& view, const View& floor) const noexcept {
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < words_.size(); ++i) {
    // Whatever all that go on have passed is the same to them.
    hash = mix(hash, view.stamps[i] > floor.stamps[i] ? view.stamps[i] : floor.stamps[i]);
  }
  return hash;
}

std::uint64_t Memory::hash_of_all(const bool* alive, unsigned count) const noexcept {
  View floor;
  floor.stamps.fill(UINT16_MAX);
  for (unsigned thread = 0; thread < count; ++thread) {
    for (std::size_t i = 0; alive[thread] && i < words_.size(); ++i) {
      const Stamp seen = threads_[thread].current.stamps[i];
      floor.stamps[i] = seen < floor.stamps[i] ? seen : floor.stamps[i];
    }
  }
  std::uint64_t hash = hash_of_view(fences_, floor);
  for (unsigned thread = 0; thread < count; ++thread) {
    if (!alive[thread]) continue;
    const Knowledge& own = threads_[thread];
    hash = mix(mix(hash, thread), hash_of_view(own.current, floor));
    hash = mix(mix(hash, hash_of_view(own.acquired, floor)), hash_of_view(own.released, floor));
  }
  for (std::size_t i = 0; i < words_.size(); ++i) {
    if (!words_[i].touched) continue;
    for (const Message& message : words_[i].messages) {
      if (message.stamp < floor.stamps[i]) continue;
      hash = mix(mix(hash, message.value), message.stamp * 2U + (message.chained ? 1U : 0U));
      hash = mix(mix(hash, i), hash_of_view(message.view, floor));
    }
  }
  return hash;
}

void Memory::join(unsigned thread, const View& view) noexcept {
  threads_[thread].current.join(view);
  threads_[thread].acquired.join(view);
}

void Memory::join_thread(unsigned thread, unsigned other) noexcept { join(thread, threads_[other].current); }

void Memory::raise(unsigned thread, unsigned word, Stamp stamp) noexcept {
  Knowledge& own = threads_[thread];
  if (own.current.stamps[word] < stamp) own.current.stamps[word] = stamp;
  if (own.acquired.stamps[word] < stamp) own.acquired.stamps[word] = stamp;
}

bool Memory::race_free(unsigned thread, unsigned word, bool writes, bool plain) const noexcept {
  const Word& accessed = words_[word];
  for (const Message& message : accessed.messages) {
    if ((plain || message.plain) && !message.initial && !knows(thread, message.writer, message.clock))
      return false;
  }
  if (!writes) return true;
  for (unsigned other = 0; other < kThreadsMax; ++other) {
    if (!knows(thread, other, accessed.plain_reads[other])) return false;
    if (plain && !knows(thread, other, accessed.atomic_reads[other])) return false;
  }
  return true;
}

void Memory::step(unsigned thread) noexcept {
  Knowledge& own = threads_[thread];
  ++own.current.clocks[thread];
  own.acquired.clocks[thread] = own.current.clocks[thread];
}

}  // namespace weft::model
