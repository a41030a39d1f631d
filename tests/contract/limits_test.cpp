// A worker that goes over one of its limits costs one task, whose error names the limit.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1U << 20;

// The sanitizers reserve terabytes for themselves.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kCanLimitMemory = false;
#else
constexpr bool kCanLimitMemory = true;
#endif

int identity(int number) { return number; }

struct Link {
  std::unique_ptr<Link> next;
  char rest[56];
};
std::unique_ptr<Link> kept;

/// Small pieces, so that nothing at all is left; `keep`: nor after it has failed.
int use_all_memory(bool keep) {
  std::unique_ptr<Link> mine;
  try {
    for (;;) {
      auto next = std::make_unique<Link>();
      next->next = std::move(mine);
      mine = std::move(next);
    }
  } catch (const std::bad_alloc&) {
    if (keep) kept = std::move(mine);
    // One by one: their destructors would go as deep as there are links.
    while (mine) mine = std::move(mine->next);
    throw;
  }
}
void use_all_memory_in_a_thread() {
  std::thread{[] { use_all_memory(false); }}.join();
}
void burn(bool ignore) {
  if (ignore) ::signal(SIGXCPU, SIG_IGN);
  for (volatile bool forever = true; forever;) {
  }
}
void open_all() {
  std::vector<int> all;
  for (;;) {
    all.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (all.back() >= 0) continue;
    const int error = errno;
    for (const int fd : all) ::close(fd);
    throw std::system_error{error, std::generic_category(), "open"};
  }
}
std::size_t length_of(const weft::Buffer& buffer) { return buffer.size(); }
weft::Buffer same(const weft::Buffer& buffer) { return buffer; }
int nice_value() { return ::getpriority(PRIO_PROCESS, 0); }
std::vector<unsigned> own_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof set, &set);
  std::vector<unsigned> cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

template <class Error, class Call>
std::string text_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "it went well";
  return {};
}

void expect_named(const std::string& text, const std::vector<std::string>& names) {
  for (const std::string& name : names)
    EXPECT_NE(text.find(name), std::string::npos) << name << " in: " << text;
}

TEST(LimitOfMemory, is_named_by_the_task_that_meets_it_and_the_worker_goes_on) {
  if (!kCanLimitMemory) GTEST_SKIP();
  weft::Pool pool{{.limit = 1, .worker = {.limits = {.memory_bytes = 64 * kMiB}}}};
  const auto pid = pool.submit([] { return static_cast<std::int64_t>(::getpid()); }).get();
  for (int i = 0; i < 3; ++i) {
    expect_named(text_of<std::bad_alloc>([&] { pool.submit<use_all_memory>(false).get(); }),
                 {"std::bad_alloc", "64 MiB", "RLIMIT_DATA", "WorkerLimits::memory_bytes"});
  }
  expect_named(text_of<std::bad_alloc>([&] { pool.submit([] { std::vector<char> big(100 * kMiB); }).get(); }),
               {"64 MiB"});
  EXPECT_EQ(pool.submit([] { return static_cast<std::int64_t>(::getpid()); }).get(), pid);
}

TEST(LimitOfMemory, is_named_where_the_task_gives_nothing_back) {
  if (!kCanLimitMemory) GTEST_SKIP();
  weft::Pool pool{{.limit = 1, .worker = {.limits = {.memory_bytes = 64 * kMiB}}}};
  expect_named(text_of<std::bad_alloc>([&] { pool.submit<use_all_memory>(true).get(); }),
               {"64 MiB", "WorkerLimits::memory_bytes"});
}

TEST(LimitOfMemory, is_named_where_it_ends_the_worker) {
  if (!kCanLimitMemory) GTEST_SKIP();
  weft::Pool pool{{.limit = 1, .worker = {.limits = {.memory_bytes = 64 * kMiB}}}};
  expect_named(text_of<weft::WorkerCrashed>([&] { pool.submit<use_all_memory_in_a_thread>().get(); }),
               {"std::bad_alloc", "64 MiB", "WorkerLimits::memory_bytes"});
  EXPECT_EQ(pool.submit<identity>(5).get(), 5);
}

TEST(LimitOfMemory, is_not_about_buffers) {
  if (!kCanLimitMemory) GTEST_SKIP();
  weft::Pool pool{{.limit = 1, .worker = {.limits = {.memory_bytes = 64 * kMiB}}}};
  const weft::Buffer big{128 * kMiB};
  EXPECT_EQ(pool.submit<length_of>(big).get(), big.size());
  EXPECT_EQ(pool.submit<same>(big).get().data(), big.data());
}

TEST(LimitOfProcessorTime, kills_the_worker_and_is_named) {
  weft::Pool pool{{.limit = 2, .worker = {.limits = {.cpu_time = 1s}}}};
  auto burning = pool.submit<burn>(false);
  auto ignoring = pool.submit<burn>(true);
  for (auto* const each : {&burning, &ignoring}) {
    const std::string text = text_of<weft::WorkerKilled>([&] { each->get(); });
    expect_named(text, {"burn", "1 s of processor time", "RLIMIT_CPU", "WorkerLimits::cpu_time"});
  }
  EXPECT_EQ(pool.submit<identity>(5).get(), 5);
}

TEST(LimitOfOpenFiles, is_named_by_the_task_that_meets_it) {
  weft::Pool pool{{.limit = 1, .worker = {.limits = {.open_files = 32}}}};
  expect_named(text_of<std::system_error>([&] { pool.submit<open_all>().get(); }),
               {"Too many open files", "32", "RLIMIT_NOFILE", "WorkerLimits::open_files"});
  EXPECT_EQ(pool.submit<length_of>(weft::Buffer{1 * kMiB}).get(), kMiB);
}

TEST(Niceness, is_the_workers_own) {
  weft::Pool pool{{.limit = 1, .worker = {.limits = {.nice = 19}}}};
  EXPECT_EQ(pool.submit<nice_value>().get(), 19);
  EXPECT_LT(nice_value(), 19);
}

TEST(Affinity, is_the_workers_own) {
  const std::vector<unsigned> here = own_cpus();
  for (const unsigned cpu : here) {
    weft::Pool pool{{.limit = 1, .worker = {.limits = {.cpus = {cpu}}}}};
    EXPECT_EQ(pool.submit<own_cpus>().get(), std::vector<unsigned>{cpu});
  }
  EXPECT_EQ(own_cpus(), here);
}

TEST(Limits, hold_all_at_once) {
  if (!kCanLimitMemory) GTEST_SKIP();
  weft::Pool pool{
      {.limit = 8,
       .worker = {
           .limits = {
               .memory_bytes = 512 << 20, .cpu_time = 600s, .open_files = 64, .nice = 10, .cpus = {0}}}}};
  EXPECT_EQ(pool.submit<nice_value>().get(), 10);
  EXPECT_EQ(pool.submit<own_cpus>().get(), std::vector<unsigned>{0});
  expect_named(text_of<std::system_error>([&] { pool.submit<open_all>().get(); }), {"limited to 64"});
  expect_named(text_of<std::bad_alloc>([&] { pool.submit([] { std::vector<char> big(600 * kMiB); }).get(); }),
               {"512 MiB"});
}

TEST(Limits, that_cannot_be_are_refused_before_anything_starts) {
  const auto refused = [](weft::WorkerLimits limits) {
    return text_of<weft::ArgumentError>([&] { weft::Pool{{.limit = 1, .worker = {.limits = limits}}}; });
  };
  expect_named(refused({.memory_bytes = 1}), {"memory_bytes", "16 MiB"});
  expect_named(refused({.cpu_time = -1s}), {"cpu_time"});
  expect_named(refused({.open_files = 31}), {"open_files", "32"});
  expect_named(refused({.nice = 20}), {"nice", "19"});
  expect_named(refused({.nice = -21}), {"nice", "-20"});
  expect_named(refused({.cpus = {1'000'000}}), {"cpus", "1000000"});
}

TEST(Limits, that_the_system_refuses_fail_the_start_and_leave_no_process) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  weft::Pool pool{{.limit = 1, .worker = {.limits = {.open_files = std::size_t{1} << 40}}}};
  expect_named(text_of<weft::StartFailed>([&] { pool.submit<identity>(1).get(); }),
               {"RLIMIT_NOFILE", "Operation not permitted"});
  pool.shutdown();
}

}  // namespace
