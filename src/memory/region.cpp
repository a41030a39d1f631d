#include "memory/region.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <cerrno>
#include <ctime>
#include <new>
#include <string>
#include <utility>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "memory/exhaustion.hpp"

namespace weft::memory {

namespace ipc = boost::interprocess;
using base::Fault;
using base::Result;
using base::UniqueFd;

namespace {

// What older C libraries do not define yet.
constexpr unsigned kNoExecSeal = 0x0008U;  // MFD_NOEXEC_SEAL, Linux 6.3
constexpr int kPopulateWrite = 23;         // MADV_POPULATE_WRITE, Linux 5.14
constexpr int kCollapse = 25;              // MADV_COLLAPSE, Linux 6.1

constexpr std::uint64_t kHugeBytes = 2U << 20;
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

/// What Boost.Interprocess calls MemoryMappable: anything that can name a descriptor to map.
class MappableFd {
 public:
  explicit MappableFd(int fd) noexcept : fd_{fd} {}
  [[nodiscard]] ipc::mapping_handle_t get_mapping_handle() const {
    return ipc::ipcdetail::mapping_handle_from_file_handle(fd_);
  }

 private:
  int fd_;
};

std::uint64_t page_bytes() noexcept {
  static const std::uint64_t bytes = ipc::mapped_region::get_page_size();
  return bytes;
}

/// Holds SIGXFSZ back while ftruncate may meet RLIMIT_FSIZE, and takes away the one that this thread was sent
/// for it. The host's dispositions stay as they are, and so does a SIGXFSZ that was pending before.
class XfszShield {
 public:
  XfszShield() noexcept {
    ::sigemptyset(&xfsz_);
    ::sigaddset(&xfsz_, SIGXFSZ);
    sigset_t pending;
    ::sigemptyset(&pending);
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGXFSZ) == 1;
    ::pthread_sigmask(SIG_BLOCK, &xfsz_, &before_);
  }
  ~XfszShield() {
    if (!was_pending_) {
      const timespec at_once{};
      while (::sigtimedwait(&xfsz_, nullptr, &at_once) == -1 && errno == EINTR) {
      }
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  XfszShield(const XfszShield&) = delete;
  XfszShield& operator=(const XfszShield&) = delete;

 private:
  sigset_t xfsz_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

Result<UniqueFd> create_memfd(const char* name, std::uint64_t bytes) {
  UniqueFd fd{::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | kNoExecSeal)};
  if (!fd && errno == EINVAL) fd.reset(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return describe_failure(Step::create, errno, bytes);
  int error = 0;
  {
    const XfszShield shield;
    while (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0 && (error = errno) == EINTR) error = 0;
  }
  if (error != 0) return describe_failure(Step::size, error, bytes);
  return fd;
}

/// An address where `bytes` can be mapped so that huge pages fit; null if there is none. It is only a hint:
/// another thread may take it, and then the region lies elsewhere.
void* aligned_address(std::uint64_t bytes) noexcept {
  const std::size_t span = static_cast<std::size_t>(bytes + kHugeBytes);
  void* found = ::mmap(nullptr, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (found == MAP_FAILED) return nullptr;
  ::munmap(found, span);
  const std::uint64_t address = base::align_up(reinterpret_cast<std::uintptr_t>(found), kHugeBytes);
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address));
}

Result<Mapping> map_at(int fd, std::uint64_t bytes, ipc::mode_t mode, void* address) {
  int error = 0;
  try {
    return Mapping{new ipc::mapped_region{MappableFd{fd}, mode, 0, static_cast<std::size_t>(bytes), address}};
  } catch (const ipc::interprocess_exception& refused) {
    error = refused.get_native_error();
  } catch (const std::bad_alloc&) {
    error = ENOMEM;
  }
  return describe_failure(Step::map, error, bytes);
}

Result<Mapping> map_fd(int fd, std::uint64_t bytes, ipc::mode_t mode) {
  if (bytes >= kHugeBytes) {
    if (void* const address = aligned_address(bytes)) {
      Result<Mapping> mapping = map_at(fd, bytes, mode, address);
      if (mapping) return mapping;
    }
  }
  return map_at(fd, bytes, mode, nullptr);
}

/// 0, or the errno of fallocate. A signal makes the kernel undo the whole call, so callers ask for little at
/// a time.
int reserve_piece(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept {
  while (::fallocate(fd, 0, static_cast<off_t>(offset), static_cast<off_t>(bytes)) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

/// Reserves every page: 0, or an errno. In place of 512 small pages, each piece gets a huge page if the
/// kernel has one: one page is reserved and then collapsed with the 511 that are not there yet. That costs
/// 0.1 ms a piece against 0.7 ms of fallocate and 1.1 ms of first touch, makes the peer's first reading and
/// the unmapping 10 to 50 times faster, and asks no setting of the administrator (shmem_enabled is "never"
/// nearly everywhere).
int reserve(int fd, std::byte* data, std::uint64_t bytes) noexcept {
  const bool aligned = reinterpret_cast<std::uintptr_t>(data) % kHugeBytes == 0;
  bool huge = aligned && bytes >= kHugeBytes;
  for (std::uint64_t offset = 0; offset < bytes; offset += kHugeBytes) {
    const std::uint64_t piece = std::min(kHugeBytes, bytes - offset);
    if (huge && piece == kHugeBytes) {
      if (const int error = reserve_piece(fd, offset, page_bytes())) return error;
      // Refused once, it will be refused again: no huge page is free, or the kernel does not know how.
      huge = ::madvise(data + offset, kHugeBytes, kCollapse) == 0;
    }
    // Even after a collapse: this call, and no other, is the promise that no access will raise SIGBUS.
    if (const int error = reserve_piece(fd, offset, piece)) return error;
  }
  return 0;
}

/// The size of a received memfd with the seals `needed` and no holes.
Result<std::uint64_t> check_received(int fd, int needed, std::uint64_t min_bytes) {
  // tmpfs only: a memfd of hugetlbfs has seals too, but its pages may be missing and reading them raises
  // SIGBUS.
  struct statfs filesystem {};
  if (::fstatfs(fd, &filesystem) != 0) return Fault::system_call("fstatfs of a received region");
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (filesystem.f_type != TMPFS_MAGIC || seals < 0) {
    return Fault::violation("a received descriptor is no memfd");
  }
  if ((seals & needed) != needed) {
    return Fault::violation("a received region lacks seals: it has " + std::to_string(seals) +
                            ", needed are " + std::to_string(needed));
  }
  // Sealed, so nothing below can change after it was looked at.
  struct stat status {};
  if (::fstat(fd, &status) != 0) return Fault::system_call("fstat of a received region");
  const auto bytes = static_cast<std::uint64_t>(status.st_size);
  if (bytes == 0 || bytes < min_bytes || bytes > base::kRegionBytesMax) {
    return Fault::violation("a received region has " + std::to_string(bytes) + " bytes, announced were " +
                            std::to_string(min_bytes));
  }
  // Reading a hole would make the kernel look for memory on our account, and SIGBUS us if it finds none.
  const std::uint64_t reserved = static_cast<std::uint64_t>(status.st_blocks) * 512;
  if (reserved < bytes) {
    return Fault::violation("a received region of " + std::to_string(bytes) + " bytes has only " +
                            std::to_string(reserved) + " reserved");
  }
  return bytes;
}

}  // namespace

void Unmap::operator()(ipc::mapped_region* mapping) const noexcept { delete mapping; }

OwnedRegion::OwnedRegion(UniqueFd fd, Mapping mapping) noexcept
    : fd_{std::move(fd)},
      mapping_{std::move(mapping)},
      data_{static_cast<std::byte*>(mapping_->get_address())},
      bytes_{mapping_->get_size()} {}

Result<UniqueFd> OwnedRegion::offer(const char* name, std::uint64_t bytes) {
  const std::uint64_t size = base::align_up(std::max<std::uint64_t>(bytes, 1), page_bytes());
  if (Result<void> room = check_machine_memory(size); !room) return std::move(room.fault());
  Result<UniqueFd> fd = create_memfd(name, size);
  if (!fd) return fd;
  if (const int error = reserve_piece(fd->get(), 0, size))
    return describe_failure(Step::reserve, error, size);
  return fd;
}

Result<OwnedRegion> OwnedRegion::take(UniqueFd fd, std::uint64_t min_bytes, const RegionOptions& options) {
  Result<std::uint64_t> bytes = check_received(fd.get(), 0, min_bytes);
  if (!bytes) return std::move(bytes.fault());
  Result<Mapping> mapping = map_fd(fd.get(), *bytes, ipc::read_write);
  if (!mapping) return std::move(mapping.fault());
  OwnedRegion region{std::move(fd), std::move(*mapping)};
  if (!options.keep_on_fork) region.lose_on_fork();
  if (::fcntl(region.fd(), F_ADD_SEALS, kSeals) != 0) return describe_failure(Step::seal, errno, *bytes);
  return region;
}

void OwnedRegion::lose_on_fork() const noexcept {
  ::madvise(data_, static_cast<std::size_t>(bytes_), MADV_DONTFORK);
}

bool OwnedRegion::is_taken(int offered) noexcept {
  const int seals = ::fcntl(offered, F_GET_SEALS);
  return seals >= 0 && (seals & kSeals) == kSeals;
}

Result<OwnedRegion> OwnedRegion::create(const char* name, std::uint64_t bytes, const RegionOptions& options) {
  if (bytes > base::kRegionBytesMax) return describe_failure(Step::size, ENOMEM, bytes);
  const std::uint64_t size = base::align_up(std::max<std::uint64_t>(bytes, 1), page_bytes());
  if (options.headroom_bytes && size > *options.headroom_bytes)
    return beyond_headroom(size, *options.headroom_bytes);
  if (Result<void> room = check_machine_memory(size); !room) return std::move(room.fault());

  Result<UniqueFd> fd = create_memfd(name, size);
  if (!fd) return std::move(fd.fault());
  Result<Mapping> mapping = map_fd(fd->get(), size, ipc::read_write);
  if (!mapping) return std::move(mapping.fault());
  OwnedRegion region{std::move(*fd), std::move(*mapping)};

  if (const int error = reserve(region.fd(), region.data(), size))
    return describe_failure(Step::reserve, error, size);
  const auto length = static_cast<std::size_t>(size);
  if (!options.keep_on_fork) ::madvise(region.data(), length, MADV_DONTFORK);
  // Only a matter of time, not of correctness: older kernels refuse it, and pages are then mapped as they are
  // touched.
  if (options.prefault) ::madvise(region.data(), length, kPopulateWrite);
  if (::fcntl(region.fd(), F_ADD_SEALS, kSeals) != 0) return describe_failure(Step::seal, errno, size);
  return region;
}

PeerRegion::PeerRegion(Mapping mapping) noexcept
    : mapping_{std::move(mapping)},
      data_{static_cast<const std::byte*>(mapping_->get_address())},
      bytes_{mapping_->get_size()} {}

Result<PeerRegion> PeerRegion::map(UniqueFd fd, std::uint64_t min_bytes) {
  Result<std::uint64_t> bytes = check_received(fd.get(), kSeals, min_bytes);
  if (!bytes) return std::move(bytes.fault());
  Result<Mapping> mapping = map_fd(fd.get(), *bytes, ipc::read_only);
  if (!mapping) return std::move(mapping.fault());
  return PeerRegion{std::move(*mapping)};
}

Result<TwinRegion> create_twin(const char* name, std::uint64_t bytes, const RegionOptions& options) {
  Result<OwnedRegion> owned = OwnedRegion::create(name, bytes, options);
  if (!owned) return std::move(owned.fault());
  UniqueFd copy{::fcntl(owned->fd(), F_DUPFD_CLOEXEC, 0)};
  if (!copy) return describe_failure(Step::create, errno, bytes);
  Result<PeerRegion> peer = PeerRegion::map(std::move(copy), bytes);
  if (!peer) return std::move(peer.fault());
  return TwinRegion{std::move(*owned), std::move(*peer)};
}

}  // namespace weft::memory
