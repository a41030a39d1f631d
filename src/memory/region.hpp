#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace boost::interprocess {
class mapped_region;
}

namespace weft::memory {

/// Unmaps; out of line, so that nobody who includes this header includes Boost.Interprocess.
struct Unmap {
  void operator()(boost::interprocess::mapped_region* mapping) const noexcept;
};
using Mapping = std::unique_ptr<boost::interprocess::mapped_region, Unmap>;

struct RegionOptions {
  /// What this process may still take before its control group would kill it; a region of more is refused.
  /// Not given: nobody has looked.
  std::optional<std::uint64_t> headroom_bytes = {};
  /// Maps every page at once, so that no access ever faults. For small regions on the hot path (lanes).
  bool prefault = false;
  /// A forked child inherits the writable mapping. Off, because only one process may write a region; the
  /// child of a host that forks has a hole there.
  bool keep_on_fork = false;
};

/// Anonymous shared memory that this process alone may write: a memfd, reserved to the last page, mapped
/// read-write and then sealed, so that neither its size nor who writes it can change any more. Whoever
/// receives the descriptor can map it read-only and nothing else.
///
/// Owner: the creator. Threads: as a pointer. Blocks: create() takes about 0.1 ms a 2 MiB (0.7 ms where the
/// kernel has no huge pages to give). Crash: the kernel frees the memory when the last process that maps it
/// is gone; no name is left behind.
class OwnedRegion {
 public:
  OwnedRegion() noexcept = default;

  /// At least `bytes`, rounded up to whole pages, all zero. `name` is seen in /proc/PID/maps only. Fails with
  /// Fault::exhausted, which names the limit, where memory, descriptors or address space run out; neither
  /// SIGBUS nor SIGXFSZ reaches the process.
  static base::Result<OwnedRegion> create(const char* name, std::uint64_t bytes,
                                          const RegionOptions& options = {});

  /// The same memory for another process to own: sized and reserved here, and mapped nowhere yet. Faults as of create().
  static base::Result<base::UniqueFd> offer(const char* name, std::uint64_t bytes);
  /// Makes what another process has offered this one's: maps and seals it. Fault::violation if it is no memfd, has holes or
  /// is shorter than `min_bytes`; else as of create(). Of the options `keep_on_fork` alone is looked at.
  static base::Result<OwnedRegion> take(base::UniqueFd fd, std::uint64_t min_bytes,
                                        const RegionOptions& options = {});
  /// Whether another process has made its own what was offered.
  [[nodiscard]] static bool is_taken(int offered) noexcept;

  /// A child that is forked from here on has a hole there.
  void lose_on_fork() const noexcept;

  /// Page-aligned; regions of 2 MiB and more are aligned to 2 MiB where the address space allows.
  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  /// To be sent to peers. Stays this region's.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  OwnedRegion(base::UniqueFd fd, Mapping mapping) noexcept;

  base::UniqueFd fd_;
  Mapping mapping_;
  std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
};

/// The same memory in a process that may only read it. That the peer cannot truncate or punch it under us is
/// checked before it is mapped; that it changes while it is read is in its nature, so what decides anything
/// is copied first.
///
/// Owner: the receiver of the descriptor. Threads: as a pointer to const. Crash: of the writer: the memory
/// stays as it left it for as long as this lives.
class PeerRegion {
 public:
  PeerRegion() noexcept = default;

  /// Maps all of the received `fd`, and closes it. Fault::violation if it is no memfd, lacks one of the
  /// seals, has holes or is shorter than `min_bytes`; Fault::exhausted where no more can be mapped.
  static base::Result<PeerRegion> map(base::UniqueFd fd, std::uint64_t min_bytes);

  [[nodiscard]] const std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  explicit PeerRegion(Mapping mapping) noexcept;

  Mapping mapping_;
  const std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
};

/// Both sides of a region in one process, at two addresses: for workers that are threads, and for tests.
struct TwinRegion {
  OwnedRegion owned;
  PeerRegion peer;
};
base::Result<TwinRegion> create_twin(const char* name, std::uint64_t bytes,
                                     const RegionOptions& options = {});

}  // namespace weft::memory
