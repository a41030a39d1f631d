// Where something runs out, the one who asked for it is told which limit it was, and the pool goes on once there is more.
// Never SIGBUS, never SIGXFSZ.

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

namespace {

using namespace std::chrono_literals;

int identity(int number) { return number; }
int nap(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds{ms});
  return ms;
}
weft::Buffer made(std::size_t size) {
  weft::Buffer buffer{size};
  std::memset(buffer.writable().data(), 'm', size);
  return buffer;
}
std::size_t length_of(const weft::Buffer& buffer) { return buffer.size(); }
std::string text_of(std::size_t size) { return std::string(size, 't'); }

using Resource = decltype(RLIMIT_NOFILE);

void set_soft_limit(int resource, std::uint64_t value) {
  rlimit limit{};
  ::getrlimit(static_cast<Resource>(resource), &limit);
  limit.rlim_cur = value;
  ::setrlimit(static_cast<Resource>(resource), &limit);
}

/// A lower limit for as long as this lives.
class Limit {
 public:
  Limit(Resource resource, rlim_t value) : resource_{resource} {
    ::getrlimit(resource, &before_);
    rlimit lower = before_;
    lower.rlim_cur = value;
    EXPECT_EQ(::setrlimit(resource, &lower), 0);
  }
  ~Limit() { ::setrlimit(resource_, &before_); }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;

 private:
  Resource resource_;
  rlimit before_{};
};

rlim_t next_descriptor() {
  const int next = ::dup(STDERR_FILENO);
  ::close(next);
  return static_cast<rlim_t>(next);
}

template <class Call>
void expect_exhausted(Call call, const std::string& limit) {
  try {
    call();
    FAIL() << limit << " was not met";
  } catch (const weft::Exhausted& error) {
    EXPECT_NE(std::string{error.what()}.find(limit), std::string::npos) << error.what();
  }
}

// First those that fork, off a program that has not used weft yet.

TEST(ExhaustionOfProcesses, is_told) {
  // In a process of its own: the limit counts for a user, and root's is none.
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(100);
    int result = 1;
    try {
      weft::Pool pool{{.limit = 1}};
      pool.submit<identity>(1).wait();  // weft's thread is there, and a worker
      if (::getuid() == 0) {
        constexpr uid_t kNobodyElse = 54321;
        if (::setgroups(0, nullptr) != 0 || ::setresgid(kNobodyElse, kNobodyElse, kNobodyElse) != 0 ||
            ::setresuid(kNobodyElse, kNobodyElse, kNobodyElse) != 0) {
          ::_exit(77);
        }
        ::prctl(PR_SET_DUMPABLE, 1);
      }
      set_soft_limit(static_cast<int>(RLIMIT_NPROC), 1);
      weft::Pool another{{.limit = 1}};
      try {
        another.submit<identity>(1).get();
        std::fprintf(stderr, "in the child: there was a process to be had\n");
      } catch (const weft::Exhausted& error) {
        if (std::string{error.what()}.find("RLIMIT_NPROC") != std::string::npos) result = 0;
        if (result != 0) std::fprintf(stderr, "in the child: %s\n", error.what());
      }
      if (pool.submit<identity>(5).get() != 5) result = 2;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in the child: %s\n", error.what());
    }
    std::fflush(nullptr);
    ::_exit(result);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "cannot become another user here";
  EXPECT_EQ(status, 0);
}

// A control group of this test's own with 64 MiB, in whichever version the machine has.
class MemoryGroup {
 public:
  MemoryGroup() {
    for (const auto& [root, limit] : {std::pair{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
                                      std::pair{"/sys/fs/cgroup", "memory.max"}}) {
      folder_ = std::string{root} + "/weft-exhaustion-" + std::to_string(::getpid());
      if (::mkdir(folder_.c_str(), 0700) != 0) continue;
      // Not even the owner of an open group can be trusted to have the controller: writing the limit tells.
      std::ofstream file{folder_ + "/" + limit};
      file << (64 << 20) << std::flush;
      if (file) return;
      ::rmdir(folder_.c_str());
    }
    folder_.clear();
  }
  ~MemoryGroup() {
    if (folder_.empty()) return;
    // Processes that have just ended are counted for a moment still.
    for (int i = 0; i < 1000 && ::rmdir(folder_.c_str()) != 0; ++i) std::this_thread::sleep_for(10ms);
  }
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;
  [[nodiscard]] bool is_there() const { return !folder_.empty(); }
  /// The calling process, and all that it starts from now on.
  [[nodiscard]] bool enter() const {
    std::ofstream file{folder_ + "/cgroup.procs"};
    file << ::getpid() << std::flush;
    return static_cast<bool>(file);
  }

 private:
  std::string folder_;
};

TEST(ExhaustionOfAControlGroup, is_told_before_the_kernel_kills_for_it) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer alone needs more memory than the group has";
#endif
  const MemoryGroup group;
  if (!group.is_there())
    GTEST_SKIP() << "no memory control group can be made here (that takes root, or a delegated group)";
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(100);
    if (!group.enter()) ::_exit(77);
    int result = 0;
    const auto told = [&](auto call) {
      try {
        call();
        std::fprintf(stderr, "in the child: 512 MiB were to be had out of 64\n");
        result = 1;
      } catch (const weft::Exhausted& error) {
        if (std::string{error.what()}.find("memory") == std::string::npos) result = 2;
        if (result != 0) std::fprintf(stderr, "in the child: %s\n", error.what());
      }
    };
    try {
      weft::Pool pool{{.limit = 1}};
      if (pool.submit<identity>(1).get() != 1) result = 3;
      told([] { made(std::size_t{512} << 20); });
      told([&] { pool.submit<made>(std::size_t{512} << 20).get(); });
      // By and by as well as at once.
      told([] {
        std::vector<weft::Buffer> kept;
        for (int i = 0; i < 512; ++i) kept.push_back(made(1 << 20));
      });
      if (made(1 << 20).size() != std::size_t{1} << 20) result = 4;
      if (pool.submit<identity>(2).get() != 2) result = 4;
      pool.shutdown();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in the child: %s\n", error.what());
      result = 5;
    }
    std::fflush(nullptr);
    ::_exit(result);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
    GTEST_SKIP() << "this process may not enter the group that it made";
  EXPECT_EQ(status, 0);
}

class Exhaustion : public testing::Test {
 protected:
  void expect_to_go_on() {
    EXPECT_EQ(pool.submit<identity>(7).get(), 7);
    EXPECT_EQ(pool.submit<length_of>(weft::Buffer::copy_of(std::string(3 << 20, 'x'))).get(),
              std::size_t{3} << 20);
    EXPECT_EQ(pool.submit<made>(std::size_t{5} << 20).get().size(), std::size_t{5} << 20);
  }
  weft::Pool pool{{.limit = 1}};
};

TEST_F(Exhaustion, of_descriptors_in_the_program_is_told) {
  EXPECT_EQ(pool.submit<identity>(1).get(), 1);
  {
    const Limit limit{RLIMIT_NOFILE, next_descriptor()};
    expect_exhausted([] { weft::Buffer{1 << 20}; }, "RLIMIT_NOFILE");
    expect_exhausted([] { weft::Pool another{{.limit = 1}}; }, "RLIMIT_NOFILE");
    expect_exhausted([&] { pool.submit<length_of>(weft::Buffer{1 << 20}).get(); }, "RLIMIT_NOFILE");
    expect_exhausted([&] { static_cast<void>(pool.submit<identity>(1)), weft::Buffer{2 << 20}; },
                     "RLIMIT_NOFILE");
    EXPECT_EQ(pool.submit<identity>(2).get(), 2) << "what needs no descriptor goes on";
  }
  expect_to_go_on();
}

TEST_F(Exhaustion, of_descriptors_for_what_a_worker_sends_is_told) {
  EXPECT_EQ(pool.submit<identity>(1).get(), 1);
  {
    const Limit limit{RLIMIT_NOFILE, next_descriptor()};
    expect_exhausted([&] { pool.submit<made>(std::size_t{1} << 20).get(); }, "RLIMIT_NOFILE");
  }
  expect_to_go_on();
}

TEST_F(Exhaustion, of_descriptors_for_another_worker_is_told) {
  weft::Pool two{{.limit = 2}};
  EXPECT_EQ(two.submit<identity>(1).get(), 1);
  {
    const Limit limit{RLIMIT_NOFILE, next_descriptor()};
    auto slow = two.submit<nap>(50);
    auto next = two.submit<nap>(1);
    // One of them finds no worker but the busy one, or is told that there cannot be another.
    EXPECT_EQ(slow.get(), 50);
    try {
      EXPECT_EQ(next.get(), 1);
    } catch (const weft::Exhausted& error) {
      EXPECT_NE(std::string{error.what()}.find("RLIMIT_NOFILE"), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(two.submit<identity>(2).get(), 2);
}

TEST_F(Exhaustion, of_descriptors_before_the_first_worker_is_told) {
  {
    const Limit limit{RLIMIT_NOFILE, next_descriptor()};
    auto execution = pool.submit<identity>(1);
    expect_exhausted([&] { execution.get(); }, "RLIMIT_NOFILE");
  }
  expect_to_go_on();
}

TEST_F(Exhaustion, of_descriptors_on_a_thread_that_waits_for_the_first_time_is_told) {
  EXPECT_EQ(pool.submit<identity>(1).get(), 1);
  {
    const Limit limit{RLIMIT_NOFILE, next_descriptor()};
    std::thread{[&] {
      auto execution = pool.submit<nap>(100);
      expect_exhausted([&] { execution.get(); }, "RLIMIT_NOFILE");
    }}.join();
  }
  expect_to_go_on();
}

TEST_F(Exhaustion, of_descriptors_in_a_worker_is_told) {
  const auto limit_worker = [](std::uint64_t descriptors) {
    set_soft_limit(static_cast<int>(RLIMIT_NOFILE), descriptors);
  };
  const auto next = pool.submit([] { return static_cast<std::uint64_t>(next_descriptor()); }).get();
  pool.submit(limit_worker, next).get();
  expect_exhausted([&] { pool.submit<made>(std::size_t{1} << 20).get(); }, "RLIMIT_NOFILE");
  EXPECT_EQ(pool.submit<identity>(2).get(), 2);
  // It cannot take a chunk either. Whichever worker answers then, the pool goes on.
  const weft::Buffer buffer = weft::Buffer::copy_of(std::string(3 << 20, 'x'));
  try {
    EXPECT_EQ(pool.submit<length_of>(buffer).get(), buffer.size());
  } catch (const weft::Error& error) {
    EXPECT_NE(std::string{error.what()}.find("RLIMIT_NOFILE"), std::string::npos) << error.what();
  }
  expect_to_go_on();
}

TEST_F(Exhaustion, of_the_file_size_is_told_and_sends_no_signal) {
  EXPECT_EQ(pool.submit<identity>(1).get(), 1);
  {
    const Limit limit{RLIMIT_FSIZE, 64 * 1024};
    // Of a size that no other test here has left memory for.
    expect_exhausted([] { weft::Buffer{40 << 20}; }, "RLIMIT_FSIZE");
    expect_exhausted([&] { pool.submit<length_of>(weft::Buffer{40 << 20}).get(); }, "RLIMIT_FSIZE");
    EXPECT_EQ(pool.submit<identity>(2).get(), 2) << "what needs no memory goes on";
    weft::Pool another{{.limit = 1}};
    expect_exhausted([&] { another.submit<identity>(1).get(); }, "RLIMIT_FSIZE");
  }
  expect_to_go_on();
}

TEST_F(Exhaustion, of_the_file_size_in_a_worker_is_told) {
  pool.submit([] { set_soft_limit(static_cast<int>(RLIMIT_FSIZE), 64 * 1024); }).get();
  expect_exhausted([&] { pool.submit<made>(std::size_t{1} << 20).get(); }, "RLIMIT_FSIZE");
  expect_exhausted([&] { pool.submit<text_of>(std::size_t{1} << 20).get(); }, "RLIMIT_FSIZE");
  EXPECT_EQ(pool.submit<text_of>(std::size_t{100}).get().size(), 100U);
  pool.submit([] { set_soft_limit(static_cast<int>(RLIMIT_FSIZE), RLIM_INFINITY); }).get();
  expect_to_go_on();
}

TEST_F(Exhaustion, of_the_address_space_is_told) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer has terabytes mapped";
#endif
  EXPECT_EQ(pool.submit<identity>(1).get(), 1);
  const auto limit_worker = [] {
    std::uint64_t pages = 0;
    std::ifstream{"/proc/self/statm"} >> pages;
    set_soft_limit(static_cast<int>(RLIMIT_AS), pages * 4096 + (64 << 20));
  };
  pool.submit(limit_worker).get();
  expect_exhausted([&] { pool.submit<made>(std::size_t{256} << 20).get(); }, "RLIMIT_AS");
  pool.submit([] { set_soft_limit(static_cast<int>(RLIMIT_AS), RLIM_INFINITY); }).get();
  expect_to_go_on();
}

}  // namespace
