#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "base/limits.hpp"
#include "memory/region.hpp"
#include "memory_in_child.hpp"

namespace weft::memory {
namespace {

using base::Fault;
using base::Result;
using base::UniqueFd;
using memory_test::succeeds_in_child;

constexpr int kAllSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

UniqueFd duplicate(int fd) { return UniqueFd{::fcntl(fd, F_DUPFD_CLOEXEC, 0)}; }

OwnedRegion make_region(std::uint64_t bytes, const RegionOptions& options = {}) {
  Result<OwnedRegion> region = OwnedRegion::create("weft-test", bytes, options);
  EXPECT_TRUE(region) << region.fault().message;
  return region ? std::move(*region) : OwnedRegion{};
}

/// A memfd made by hand, for what a hostile peer would send.
UniqueFd make_memfd(std::uint64_t bytes, int seals, bool reserved = true, unsigned flags = 0) {
  UniqueFd fd{::memfd_create("weft-hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags)};
  if (!fd) return fd;
  EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(bytes)), 0);
  if (reserved && bytes != 0) {
    EXPECT_EQ(::fallocate(fd.get(), 0, 0, static_cast<off_t>(bytes)), 0);
  }
  EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  return fd;
}

bool is_refused(const Result<PeerRegion>& peer) {
  return !peer && peer.fault().kind == Fault::Kind::violation;
}

/// Everything that a holder of the descriptor might try in order to write. Names the first that was not
/// refused.
const char* find_way_to_write(int fd, const PeerRegion& peer) {
  constexpr std::size_t kBytes = 4096;
  if (::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED) return "mmap";
  if (errno != EPERM && errno != EACCES) return "mmap, for another reason";
  if (::mprotect(const_cast<std::byte*>(peer.data()), kBytes, PROT_READ | PROT_WRITE) == 0) return "mprotect";
  if (errno != EACCES) return "mprotect, for another reason";
  if (::pwrite(fd, "x", 1, 0) != -1 || errno != EPERM) return "pwrite";
  if (::ftruncate(fd, 0) != -1 || errno != EPERM) return "ftruncate to less";
  if (::ftruncate(fd, 1 << 30) != -1 || errno != EPERM) return "ftruncate to more";
  if (::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kBytes) != -1 || errno != EPERM)
    return "a hole";
  if (::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) != -1 || errno != EPERM) return "another seal";
  const UniqueFd again{::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDWR | O_CLOEXEC)};
  if (again && ::mmap(nullptr, kBytes, PROT_WRITE, MAP_SHARED, again.get(), 0) != MAP_FAILED)
    return "opening it again";
  if (again && ::pwrite(again.get(), "x", 1, 0) != -1) return "writing to it opened again";
  return nullptr;
}

TEST(OwnedRegion, is_zero_writable_and_reserved_to_the_last_byte) {
  for (const std::uint64_t bytes :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{4096}, std::uint64_t{100'000},
        std::uint64_t{2} << 20, (std::uint64_t{5} << 20) + 1}) {
    const OwnedRegion region = make_region(bytes);
    ASSERT_NE(region.data(), nullptr);
    ASSERT_GE(region.bytes(), std::max<std::uint64_t>(bytes, 1));
    EXPECT_EQ(region.bytes() % 4096, 0U);
    struct stat status {};
    ASSERT_EQ(::fstat(region.fd(), &status), 0);
    EXPECT_EQ(static_cast<std::uint64_t>(status.st_size), region.bytes());
    EXPECT_GE(static_cast<std::uint64_t>(status.st_blocks) * 512, region.bytes());
    EXPECT_EQ(std::count(region.data(), region.data() + region.bytes(), std::byte{0}),
              static_cast<std::ptrdiff_t>(region.bytes()));
    std::memset(region.data(), 0x5a, region.bytes());
    EXPECT_EQ(region.data()[region.bytes() - 1], std::byte{0x5a});
  }
}

TEST(OwnedRegion, has_its_seals_and_is_closed_on_exec) {
  const OwnedRegion region = make_region(4096);
  EXPECT_EQ(::fcntl(region.fd(), F_GET_SEALS) & kAllSeals, kAllSeals);
  EXPECT_NE(::fcntl(region.fd(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(OwnedRegion, is_a_hole_in_a_forked_child_unless_told_otherwise) {
  const OwnedRegion hidden = make_region(4096);
  RegionOptions fork_safe;
  fork_safe.keep_on_fork = true;
  const OwnedRegion kept = make_region(4096, fork_safe);
  EXPECT_TRUE(succeeds_in_child([&] {
    CHILD_EXPECT(::msync(hidden.data(), 4096, MS_ASYNC) == -1 && errno == ENOMEM);
    CHILD_EXPECT(::msync(kept.data(), 4096, MS_ASYNC) == 0);
  }));
}

TEST(OwnedRegion, prefault_maps_every_page_at_once) {
  constexpr std::size_t kPages = 32;
  RegionOptions prefaulted;
  prefaulted.prefault = true;
  const OwnedRegion region = make_region(kPages * 4096, prefaulted);
  // Present in the page table, as /proc/self/pagemap tells it, without having been touched.
  const UniqueFd pagemap{::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)};
  ASSERT_TRUE(pagemap);
  std::array<std::uint64_t, kPages> entries{};
  const auto where = static_cast<off_t>(reinterpret_cast<std::uintptr_t>(region.data()) / 4096 * 8);
  ASSERT_EQ(::pread(pagemap.get(), entries.data(), sizeof entries, where),
            static_cast<ssize_t>(sizeof entries));
  const auto present =
      std::count_if(entries.begin(), entries.end(), [](std::uint64_t e) { return (e >> 63) != 0; });
  // Linux before 5.14 cannot; there the pages are mapped as they are touched.
  if (::madvise(region.data(), 4096, 23) != 0) GTEST_SKIP() << "no MADV_POPULATE_WRITE";
  EXPECT_EQ(static_cast<std::size_t>(present), kPages);
}

TEST(OwnedRegion, that_was_offered_is_its_takers_alone) {
  Result<UniqueFd> offered = OwnedRegion::offer("weft-test", 100'000);
  ASSERT_TRUE(offered) << offered.fault().message;
  struct stat status {};
  ASSERT_EQ(::fstat(offered->get(), &status), 0);
  EXPECT_GE(static_cast<std::uint64_t>(status.st_blocks) * 512, 100'000U) << "not reserved";
  UniqueFd kept = duplicate(offered->get());
  EXPECT_TRUE(is_refused(PeerRegion::map(duplicate(kept.get()), 100'000))) << "nobody has taken it yet";
  EXPECT_FALSE(OwnedRegion::is_taken(kept.get()));

  Result<OwnedRegion> taken = OwnedRegion::take(std::move(*offered), 100'000);
  ASSERT_TRUE(taken) << taken.fault().message;
  EXPECT_TRUE(OwnedRegion::is_taken(kept.get()));
  EXPECT_GE(taken->bytes(), 100'000U);
  EXPECT_EQ(std::count(taken->data(), taken->data() + taken->bytes(), std::byte{0}),
            static_cast<std::ptrdiff_t>(taken->bytes()));
  const int fd = kept.get();
  Result<PeerRegion> peer = PeerRegion::map(std::move(kept), 100'000);
  ASSERT_TRUE(peer) << peer.fault().message;
  EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
  taken->data()[99'999] = std::byte{42};
  EXPECT_EQ(peer->data()[99'999], std::byte{42});
  const char* const way = find_way_to_write(taken->fd(), *peer);
  EXPECT_EQ(way, nullptr) << way;
  EXPECT_TRUE(succeeds_in_child(
      [&] { CHILD_EXPECT(::msync(taken->data(), 4096, MS_ASYNC) == -1 && errno == ENOMEM); }));
}

TEST(OwnedRegion, is_taken_only_where_it_cannot_fail_later) {
  const auto is_violation = [](const Result<OwnedRegion>& taken) {
    return !taken && taken.fault().kind == Fault::Kind::violation;
  };
  EXPECT_TRUE(is_violation(OwnedRegion::take(make_memfd(4096, 0), 4097)));
  EXPECT_TRUE(is_violation(OwnedRegion::take(make_memfd(1U << 20, 0, false), 1U << 20)));
  EXPECT_TRUE(is_violation(OwnedRegion::take(UniqueFd{::eventfd(0, EFD_CLOEXEC)}, 1)));
  EXPECT_FALSE(OwnedRegion::take(make_memfd(4096, kAllSeals), 4096)) << "it is somebody else's already";
  EXPECT_FALSE(OwnedRegion::take(make_memfd(4096, F_SEAL_SEAL), 4096)) << "it could not be sealed";
}

TEST(PeerRegion, sees_what_the_owner_writes) {
  Result<TwinRegion> twin = create_twin("weft-test", 100'000);
  ASSERT_TRUE(twin) << twin.fault().message;
  ASSERT_NE(twin->owned.data(), twin->peer.data());
  ASSERT_EQ(twin->owned.bytes(), twin->peer.bytes());
  twin->owned.data()[99'999] = std::byte{42};
  EXPECT_EQ(twin->peer.data()[99'999], std::byte{42});
}

TEST(PeerRegion, cannot_be_written_by_any_way_the_kernel_offers) {
  Result<TwinRegion> twin = create_twin("weft-test", 4096);
  ASSERT_TRUE(twin) << twin.fault().message;
  const char* const way = find_way_to_write(twin->owned.fd(), twin->peer);
  EXPECT_EQ(way, nullptr) << way;
}

/// Sends `fd` over `socket`, as a control socket does.
void send_fd(int socket, int fd) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fd)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  ASSERT_EQ(::sendmsg(socket, &message, 0), 1);
}

int receive_fd(int socket) {
  char byte = 0;
  iovec part{&byte, 1};
  int fd = -1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fd)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) return -1;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr) std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

TEST(PeerRegion, cannot_be_written_by_another_process_that_received_it) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()), 0);
  const UniqueFd near{pair[0]};
  UniqueFd far{pair[1]};
  // Created and sent before the fork, received after it: the child's only access is the descriptor from the
  // socket.
  OwnedRegion region = make_region(3U << 20);
  std::strcpy(reinterpret_cast<char*>(region.data()), "written by the owner");
  send_fd(near.get(), region.fd());
  EXPECT_TRUE(succeeds_in_child([&] {
    ::close(region.fd());
    const int fd = receive_fd(far.get());
    CHILD_EXPECT(fd >= 0);
    Result<PeerRegion> peer = PeerRegion::map(duplicate(fd), 3U << 20);
    CHILD_EXPECT(peer);
    CHILD_EXPECT(std::strcmp(reinterpret_cast<const char*>(peer->data()), "written by the owner") == 0);
    const char* const way = find_way_to_write(fd, *peer);
    if (way != nullptr) std::fprintf(stderr, "could write by %s\n", way);
    CHILD_EXPECT(way == nullptr);
  }));
  EXPECT_STREQ(reinterpret_cast<char*>(region.data()), "written by the owner");
}

TEST(PeerRegion, keeps_the_memory_of_an_owner_that_is_gone) {
  Result<TwinRegion> twin = create_twin("weft-test", 4096);
  ASSERT_TRUE(twin);
  twin->owned.data()[7] = std::byte{7};
  twin->owned = OwnedRegion{};
  EXPECT_EQ(twin->peer.data()[7], std::byte{7});
}

TEST(PeerRegion, closes_the_descriptor_it_was_given) {
  const OwnedRegion region = make_region(4096);
  UniqueFd fd = duplicate(region.fd());
  const int number = fd.get();
  Result<PeerRegion> peer = PeerRegion::map(std::move(fd), 4096);
  ASSERT_TRUE(peer);
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

TEST(PeerRegion, accepts_a_memfd_that_holds_to_the_rules) {
  EXPECT_TRUE(PeerRegion::map(make_memfd(8192, kAllSeals), 8192));
  EXPECT_TRUE(PeerRegion::map(make_memfd(8192, kAllSeals), 1));
}

TEST(PeerRegion, refuses_a_memfd_that_lacks_any_one_seal) {
  for (const int missing : {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_FUTURE_WRITE, F_SEAL_SEAL}) {
    EXPECT_TRUE(is_refused(PeerRegion::map(make_memfd(4096, kAllSeals & ~missing), 4096))) << missing;
  }
  EXPECT_TRUE(is_refused(PeerRegion::map(make_memfd(4096, 0), 4096)));
}

TEST(PeerRegion, refuses_what_is_no_memfd) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  EXPECT_TRUE(is_refused(PeerRegion::map(UniqueFd{pipe[0]}, 1)));
  EXPECT_TRUE(is_refused(PeerRegion::map(UniqueFd{pipe[1]}, 1)));
  EXPECT_TRUE(is_refused(PeerRegion::map(UniqueFd{::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)}, 1)));
  EXPECT_FALSE(PeerRegion::map(UniqueFd{}, 1));
}

TEST(PeerRegion, refuses_a_memfd_with_holes) {
  EXPECT_TRUE(is_refused(PeerRegion::map(make_memfd(1U << 20, kAllSeals, false), 4096)));
}

TEST(PeerRegion, refuses_huge_pages_that_may_not_be_there) {
  UniqueFd fd = make_memfd(2U << 20, kAllSeals, false, MFD_HUGETLB);
  if (!fd) GTEST_SKIP() << "no hugetlbfs here";
  EXPECT_TRUE(is_refused(PeerRegion::map(std::move(fd), 4096)));
}

TEST(PeerRegion, refuses_a_region_shorter_than_announced) {
  EXPECT_TRUE(is_refused(PeerRegion::map(make_memfd(4096, kAllSeals), 4097)));
  EXPECT_TRUE(is_refused(PeerRegion::map(make_memfd(4096, kAllSeals), ~std::uint64_t{0})));
  EXPECT_TRUE(is_refused(PeerRegion::map(make_memfd(0, kAllSeals), 0)));
}

}  // namespace
}  // namespace weft::memory
