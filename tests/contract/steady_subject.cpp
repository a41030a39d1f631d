#include "contract/steady_subject.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "contract/role.hpp"

namespace weft::contract {

namespace {

int identity(int number) { return number; }
int pause_for_ever() { return ::pause(); }
void nap() { std::this_thread::sleep_for(std::chrono::milliseconds{200}); }

void run_buckets(Scoreboard& board, int depth) {
  Pool pool{{.limit = 1}};
  std::vector<Execution<int>> executions(static_cast<std::size_t>(depth));
  const auto rounds = [&](std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; i += static_cast<std::uint64_t>(depth)) {
      for (auto& each : executions) each = pool.submit<identity>(7);
      for (auto& each : executions) {
        if (each.get() != 7) std::abort();
      }
      board.round.fetch_add(static_cast<std::uint64_t>(depth), std::memory_order_relaxed);
    }
  };
  while (!board.enough) {
    rounds(kBucketsAtOnce * kBucketRounds);
    static_cast<void>(::prctl(kBucketsDone));
    // A bucket for what was put to sleep meanwhile.
    rounds(kBucketRounds);
  }
}

void until_end_of_input() {
  char end = 0;
  static_cast<void>(::read(STDIN_FILENO, &end, 1));
}

/// All `count` workers are there, and their pids are told.
void warm_up(Pool& pool, std::size_t count) {
  std::vector<Execution<void>> naps;
  for (std::size_t i = 0; i < count; ++i) naps.push_back(pool.submit<nap>());
  for (auto& each : naps) each.wait();
  for (const std::int64_t pid : pool.status().pids) std::printf("%ld ", static_cast<long>(pid));
  std::printf("\n");
  std::fflush(stdout);
}

void idle(std::size_t count) {
  // Time limits that would end while the idle pool is watched.
  Pool pool{{.limit = count, .worker = {.start_timeout = std::chrono::seconds{8}}}};
  warm_up(pool, count);
  until_end_of_input();
}

void wait_for_long_tasks(std::size_t count) {
  std::thread{[] {
    until_end_of_input();
    ::_exit(0);
  }}.detach();
  Pool pool{{.limit = count}};
  warm_up(pool, count);
  std::vector<Execution<int>> endless;
  for (std::size_t i = 0; i < 3 * count; ++i) endless.push_back(pool.submit<pause_for_ever>());
  endless.front().wait();
}

const Role buckets{"buckets", [](const Role::Arguments& arguments) {
                     run_buckets(*map_scoreboard(arguments.at(0), false), std::stoi(arguments.at(1)));
                   }};
const Role waiting{
    "waiting", [](const Role::Arguments& arguments) { wait_for_long_tasks(std::stoul(arguments.at(0))); }};
const Role idling{"idle", [](const Role::Arguments& arguments) { idle(std::stoul(arguments.at(0))); }};

}  // namespace

Scoreboard* map_scoreboard(const std::string& path, bool make) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | (make ? O_CREAT : 0), 0600);
  if (fd < 0 || (make && ::ftruncate(fd, sizeof(Scoreboard)) != 0)) std::abort();
  void* const mapped = ::mmap(nullptr, sizeof(Scoreboard), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (mapped == MAP_FAILED) std::abort();
  return static_cast<Scoreboard*>(mapped);
}

}  // namespace weft::contract
