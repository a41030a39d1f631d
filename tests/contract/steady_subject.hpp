#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>

namespace weft::contract {

/// Rounds are counted in buckets of so many.
inline constexpr std::uint64_t kBucketRounds = 1000;
inline constexpr std::uint64_t kBucketsAtOnce = 20;
/// prctl with this option, which does not exist, is how a subject says that it has done some buckets.
inline constexpr int kBucketsDone = 0x57454654;

/// Memory that the subject shares with whoever counts.
struct Scoreboard {
  std::atomic<std::uint64_t> round;  ///< under way
  std::atomic<bool> enough;          ///< the subject may end
};

/// A Scoreboard in the file `path`, which is made if `make` says so.
Scoreboard* map_scoreboard(const std::string& path, bool make);

}  // namespace weft::contract
