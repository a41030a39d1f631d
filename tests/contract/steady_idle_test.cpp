// An idle pool costs nothing: no thread of the program or of its workers runs, so none makes a system call.

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

extern char** environ;

namespace weft::contract {
namespace {

using namespace std::chrono_literals;

/// What a thread has used: the kernel counts a switch each time that it has run and stops again, so that these numbers
/// stand still for a thread that made no system call.
std::string usage_of(const std::filesystem::path& task) {
  std::string usage;
  std::ifstream stat{task / "stat"};
  std::string line;
  std::getline(stat, line);
  std::istringstream fields{line.substr(line.rfind(')') + 2)};
  std::string field;
  for (int number = 3; fields >> field; ++number) {
    if (number == 14 || number == 15) usage += field + " ticks, ";
  }
  std::ifstream status{task / "status"};
  while (std::getline(status, line)) {
    if (line.find("ctxt_switches") != std::string::npos) usage += line + ", ";
  }
  return usage;
}

std::map<std::string, std::string> usage_of_all(const std::vector<std::string>& pids) {
  std::map<std::string, std::string> usage;
  for (const std::string& pid : pids) {
    for (const auto& task : std::filesystem::directory_iterator{"/proc/" + pid + "/task"}) {
      usage[pid + "/" + task.path().filename().string()] = usage_of(task.path());
    }
  }
  return usage;
}

class Subject {
 public:
  Subject(std::string role, unsigned workers) {
    int in[2];
    int out[2];
    if (::pipe(in) != 0 || ::pipe(out) != 0) std::abort();
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    for (const int fd : {in[0], in[1], out[0], out[1]}) ::posix_spawn_file_actions_addclose(&actions, fd);
    std::string count = std::to_string(workers);
    std::string name = "steady";
    std::string option = "--role";
    char* arguments[] = {name.data(), option.data(), role.data(), count.data(), nullptr};
    if (::posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments, environ) != 0) std::abort();
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = out[0];
  }
  ~Subject() {
    ::close(to_);
    ::close(from_);
    ::waitpid(pid_, nullptr, 0);
  }
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;
  /// Its own pid and its workers', once all have had a task.
  std::vector<std::string> pids() const {
    std::string text;
    for (char c = 0; ::read(from_, &c, 1) == 1 && c != '\n';) text += c;
    std::vector<std::string> all{std::to_string(pid_)};
    std::istringstream words{text};
    for (std::string word; words >> word;) all.push_back(word);
    return all;
  }

 private:
  pid_t pid_ = -1;
  int to_ = -1;
  int from_ = -1;
};

/// Of all threads, once none runs. It may take a moment until the last has gone to sleep, on a machine that has other things
/// to do; CTest's own watchdog ends what never gets there.
std::map<std::string, std::string> usage_at_rest(const std::vector<std::string>& pids) {
  auto before = usage_of_all(pids);
  for (;;) {
    std::this_thread::sleep_for(1s);
    auto after = usage_of_all(pids);
    if (after == before) return before;
    before = std::move(after);
  }
}

TEST(WaitingProgram, for_long_tasks_on_all_cores_makes_no_system_call) {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const Subject subject{"waiting", cores};
  const std::vector<std::string> pids = subject.pids();
  ASSERT_EQ(pids.size(), cores + 1);
  EXPECT_EQ(usage_at_rest(pids).size(), cores + 3) << "a thread of the program's beside the pool's";
}

TEST(IdlePool, of_eight_workers_makes_no_system_call_and_uses_no_tick_in_ten_seconds) {
  const Subject subject{"idle", 8};
  const std::vector<std::string> pids = subject.pids();
  ASSERT_EQ(pids.size(), 9U);
  const auto before = usage_at_rest(pids);
  std::this_thread::sleep_for(10s);
  const auto after = usage_of_all(pids);
  EXPECT_EQ(after, before);
  EXPECT_GE(after.size(), 10U) << "the program's own two threads, and one a worker";
}

}  // namespace
}  // namespace weft::contract
