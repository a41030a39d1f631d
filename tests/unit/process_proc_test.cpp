// What is read of other processes, and that looking does nothing to them: tried on this one.

#include "process/proc.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>

namespace weft::process {

namespace {

TEST(Proc, names_a_region_once_however_often_it_is_held) {
  const base::UniqueFd region{::memfd_create("weft-held-twice", MFD_CLOEXEC)};
  const base::UniqueFd again{::dup(region.get())};
  auto held = held_regions(::getpid(), "weft-held-");
  ASSERT_TRUE(held);
  ASSERT_EQ((*held).size(), 1U);
  EXPECT_EQ((*held).front().name, "weft-held-twice");
  EXPECT_EQ((*held).front().number, region.get());
}

TEST(Proc, opens_a_region_for_reading_alone) {
  const base::UniqueFd region{::memfd_create("weft-region", MFD_CLOEXEC)};
  ASSERT_EQ(::write(region.get(), "x", 1), 1);
  auto opened = open_held(::getpid(), region.get());
  ASSERT_TRUE(opened);
  char read = 0;
  EXPECT_EQ(::pread((*opened).get(), &read, 1, 0), 1);
  EXPECT_EQ(read, 'x');
  EXPECT_EQ(::pwrite((*opened).get(), "y", 1, 0), -1);
}

/// What another process has under a number may be a device by now, and some of those do something when they are opened.
TEST(Proc, does_not_even_open_what_is_no_file) {
  const std::string path = testing::TempDir() + "weft-pipe-" + std::to_string(::getpid());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const base::UniqueFd pipe{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
  const base::UniqueFd watch{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
  ASSERT_GE(::inotify_add_watch(watch.get(), path.c_str(), IN_OPEN), 0);
  auto opened = open_held(::getpid(), pipe.get());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.fault().error, EINVAL);
  char event[256];
  EXPECT_EQ(::read(watch.get(), event, sizeof event), -1);
  ::unlink(path.c_str());
}

/// What a process takes between two looks must not make its share greater than the whole.
TEST(Proc, counts_memory_of_one_moment) {
  constexpr std::size_t kBytes = 64 << 20;
  const base::UniqueFd region{::memfd_create("weft-swelling", MFD_CLOEXEC)};
  ASSERT_EQ(::posix_fallocate(region.get(), 0, kBytes), 0);
  std::atomic<bool> is_enough = false;
  std::thread swelling{[&] {
    while (!is_enough)
      ::munmap(::mmap(nullptr, kBytes, PROT_READ, MAP_SHARED | MAP_POPULATE, region.get(), 0), kBytes);
  }};
  std::uint64_t least = ~std::uint64_t{0};
  std::uint64_t most = 0;
  for (int looks = 0; looks < 1000 || most - least < kBytes / 2; ++looks) {
    auto memory = memory_of(::getpid());
    if (!memory) break;
    EXPECT_LE(memory->proportional_bytes, memory->resident_bytes);
    least = std::min(least, memory->resident_bytes);
    most = std::max(most, memory->resident_bytes);
  }
  is_enough = true;
  swelling.join();
  EXPECT_GT(most, 0U) << "the kernel tells a process of itself";
}

TEST(Proc, says_why_it_cannot) {
  auto held = held_regions(0, "weft-");
  ASSERT_FALSE(held);
  EXPECT_EQ(held.fault().error, ENOENT);
  auto opened = open_held(::getpid(), 1 << 20);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.fault().error, ENOENT);
  EXPECT_FALSE(look_at(0).has_value());
  EXPECT_FALSE(memory_of(0).has_value());
  EXPECT_TRUE(open_modules(0).empty());
}

}  // namespace

}  // namespace weft::process
