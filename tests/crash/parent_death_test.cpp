// A program is killed at each failure point of its side: no worker of its goes on, and nothing is left behind.

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "crash/failure_points.hpp"
#include "crash/scratch.hpp"

extern char** environ;

namespace weft::crash {
namespace {

using namespace std::chrono_literals;

struct Point {
  const char* name;
  std::vector<int> passes;
};

const std::vector<Point> kPoints{
    {"parent.start.before_spawn", {1, 2}},
    {"parent.start.after_spawn", {1, 2}},
    {"parent.start.after_hello", {1, 2}},
    {"parent.fork.before_ask", {1, 2}},
    {"parent.fork.adopted", {1, 2}},
    {"parent.ready.mapped", {1, 2}},
    {"parent.send.after_commit", {1, 2, 100}},
    {"parent.answer.before_settle", {1, 2, 100}},
    {"parent.bury", {1}},
    {"parent.retire.before_goodbye", {1}},
    {"ring.commit.before_publish", {1, 7}},
    {"ring.commit.zeroed_next", {1, 7}},
    {"ring.commit.after_publish", {1, 7}},
    {"ring.take_back.withdrawn", {1, 2}},
    {"exchange.lend.after_chunk", {1}},
    {"exchange.lend.lent", {1, 3}},
    {"exchange.borrow.resolved", {1, 3}},
    {"exchange.returns.taken", {1, 2}},
    {"channel.open.taken", {1, 3}},
    {"channel.value.written", {1, 2, 100}},
    {"channel.value.delivered", {1, 2, 100}},
    {"channel.note.written", {1, 3}},
    {"files.sent", {1, 4}},
    {"files.taken", {1, 4}},
    {"shared.ask.read", {1, 2, 50}},
    {"shared.answer.before", {1, 2, 50}},
};
// Where only workers come.
const std::vector<std::string> kOfWorkers{"ring.claim.stored", "ring.begin.begun", "channel.open.sent",
                                          "shared.ask.sent", "shared.answer.read"};

struct Death {
  std::string point;
  int pass;
};

std::vector<Death> deaths() {
  std::vector<Death> all;
  for (const Point& point : kPoints) {
    for (const int pass : point.passes) all.push_back({point.name, pass});
  }
  return all;
}

/// Names that shared memory or sockets of ours could have left.
std::set<std::string> names_left() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator{"/dev/shm"}) {
    const std::string name = entry.path().filename().string();
    if (name.find("weft") != std::string::npos || name.find("boost") != std::string::npos) names.insert(name);
  }
  std::ifstream sockets{"/proc/net/unix"};
  for (std::string line; std::getline(sockets, line);) {
    const std::size_t path = line.find("weft");
    if (path != std::string::npos) names.insert(line.substr(path));
  }
  return names;
}

/// Waits for `pid` and for all that it leaves us as the next of kin, and returns its status.
int wait_for_all(pid_t pid) {
  int status_of_pid = -1;
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended == pid) status_of_pid = status;
    if (ended < 0 && errno == ECHILD) return status_of_pid;
  }
}

class ParentDeath : public testing::TestWithParam<Death> {};

TEST_P(ParentDeath, ends_its_workers_and_leaves_nothing_behind) {
  const Scratch scratch;
  const std::set<std::string> before = names_left();
  // Orphans become this process's children, so that it can tell when the last of them has gone. The test's time limit is
  // the watchdog for one that does not go.
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  std::vector<std::string> environment{
      "WEFT_DIE_AT=" + GetParam().point + ":" + std::to_string(GetParam().pass),
      "WEFT_DIE_MARK=" + scratch.file("died")};
  for (char** each = environ; *each != nullptr; ++each) environment.emplace_back(*each);
  std::vector<char*> pointers;
  for (std::string& each : environment) pointers.push_back(each.data());
  pointers.push_back(nullptr);
  std::string program = WEFT_PARENT_PROGRAM;
  char* arguments[] = {program.data(), nullptr};
  pid_t pid = -1;
  ASSERT_EQ(::posix_spawn(&pid, program.c_str(), nullptr, nullptr, arguments, pointers.data()), 0);
  const int status = wait_for_all(pid);
  EXPECT_TRUE(scratch.has("died")) << "it never came to the point";
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  std::vector<std::string> left;
  const std::set<std::string> after = names_left();
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(left));
  EXPECT_TRUE(left.empty()) << testing::PrintToString(left);
}

std::string name_of(const testing::TestParamInfo<Death>& info) {
  std::string name = info.param.point + "_" + std::to_string(info.param.pass);
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(At, ParentDeath, testing::ValuesIn(deaths()), name_of);

TEST(ParentPoints, are_all_tried) {
  std::vector<std::string> mine;
  for (const Point& point : kPoints) mine.emplace_back(point.name);
  for (const std::string& name : points_in(WEFT_SOURCE_FOLDER)) {
    if (name.starts_with("worker.") || name.starts_with("zygote.") ||
        std::find(kOfWorkers.begin(), kOfWorkers.end(), name) != kOfWorkers.end())
      continue;
    EXPECT_NE(std::find(mine.begin(), mine.end(), name), mine.end())
        << name << " is in the sources and in no test";
  }
}

}  // namespace
}  // namespace weft::crash
