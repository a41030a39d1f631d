// Spawning, reaping, and dying with the parent.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "process/descriptors.hpp"
#include "process/process_child.hpp"
#include "process/spawn.hpp"

namespace weft::process::test {

namespace {

using base::Fault;
using base::UniqueFd;

/// A child that answers with one message.
struct Answer {
  std::string text;
  ExitStatus status;
};

Answer ask(SpawnOptions options) {
  auto pair = socket_pair();
  EXPECT_TRUE(pair);
  options.descriptors.emplace_back(pair->theirs.get(), kSocketFd);
  auto child = spawn(options);
  EXPECT_TRUE(child) << child.fault().message;
  if (!child) return {};
  pair->theirs.reset();
  std::array<std::byte, 4096> buffer;
  auto received = receive(pair->ours.get(), buffer, 0, Wait::yes);
  EXPECT_TRUE(received);
  auto status = reap_within(*child, 60'000);
  EXPECT_TRUE(status && status->has_value());
  if (!received || !status || !status->has_value()) return {};
  return {{reinterpret_cast<const char*>(buffer.data()), received->bytes}, **status};
}

bool has_ended(int pidfd, int timeout_ms) {
  pollfd ended{pidfd, POLLIN, 0};
  return ::poll(&ended, 1, timeout_ms) == 1;
}

/// A family of the test, a parent and its worker: the parent's Child and the worker's pidfd.
struct Family {
  Child parent;
  UniqueFd worker;
};

Family start_family(const std::string& parent_role) {
  auto pair = socket_pair();
  SpawnOptions options = role(parent_role);
  options.descriptors = {{pair->theirs.get(), kSocketFd}};
  auto parent = spawn(options);
  EXPECT_TRUE(parent);
  pair->theirs.reset();
  std::array<std::byte, 64> buffer;
  auto worker = receive(pair->ours.get(), buffer, 1, Wait::yes);
  EXPECT_TRUE(worker);
  EXPECT_EQ(worker->descriptors.size(), 1U);
  return {std::move(*parent), std::move(worker->descriptors.at(0))};
}

}  // namespace

TEST(Spawn, starts_this_program_and_reaps_its_exit_code) {
  auto child = spawn(role("exit", {"3"}));
  ASSERT_TRUE(child);
  auto status = reap_within(*child, 60'000);
  ASSERT_TRUE(status && status->has_value());
  EXPECT_TRUE((*status)->known);
  EXPECT_FALSE((*status)->signalled);
  EXPECT_EQ((*status)->code, 3);
  EXPECT_GT((*status)->usage.ru_maxrss, 0);
  EXPECT_EQ(describe(**status), "exited with code 3");
  EXPECT_EQ(::waitpid(child->pid, nullptr, WNOHANG), -1) << "a zombie was left";
}

TEST(ExitCode, is_told_with_its_usual_name) {
  for (const auto& [code, told] :
       std::initializer_list<std::pair<int, const char*>>{{0, "0"},
                                                          {1, "1"},
                                                          {63, "63"},
                                                          {64, "64 (EX_USAGE)"},
                                                          {70, "70 (EX_SOFTWARE)"},
                                                          {78, "78 (EX_CONFIG)"},
                                                          {79, "79"},
                                                          {125, "125"},
                                                          {126, "126 (a command that cannot be executed)"},
                                                          {127, "127 (a command that was not found)"},
                                                          {128, "128"},
                                                          {137, "137 (128 + SIGKILL)"},
                                                          {139, "139 (128 + SIGSEGV)"},
                                                          {250, "250"}}) {
    EXPECT_EQ(describe_exit_code(code), told);
    ExitStatus status;
    status.known = true;
    status.code = code;
    EXPECT_EQ(describe(status), std::string{"exited with code "} + told);
  }
}

TEST(Spawn, reports_a_running_child_as_running_and_a_killed_one_by_the_signals_name) {
  auto pair = socket_pair();
  SpawnOptions options = role("wait");
  options.descriptors = {{pair->theirs.get(), kSocketFd}};
  auto child = spawn(options);
  ASSERT_TRUE(child);
  std::array<std::byte, 64> buffer;
  ASSERT_TRUE(receive(pair->ours.get(), buffer, 0, Wait::yes));
  auto running = reap(*child);
  ASSERT_TRUE(running);
  EXPECT_FALSE(running->has_value());
  EXPECT_FALSE(*reap_within(*child, 0));
  kill(*child, SIGKILL);
  auto status = reap_within(*child, 60'000);
  ASSERT_TRUE(status && status->has_value());
  EXPECT_TRUE((*status)->signalled);
  EXPECT_EQ(describe(**status), "killed by SIGKILL (Killed)");
  kill(*child, SIGKILL);  // nothing happens, to nobody
}

TEST(Spawn, knows_no_status_where_somebody_else_reaped_the_child) {
  auto child = spawn(role("exit", {"3"}));
  ASSERT_TRUE(child);
  ASSERT_EQ(::waitpid(child->pid, nullptr, 0), child->pid);
  auto status = reap(*child);
  ASSERT_TRUE(status && status->has_value());
  EXPECT_FALSE((*status)->known);
  EXPECT_NE(describe(**status).find("unknown"), std::string::npos);
}

TEST(Spawn, lives_with_a_host_program_that_ignores_sigchld) {
  // The child may have been over before it could be watched: then that is said, with ECHILD.
  const std::string answer = ask(role("ignore_children")).text;
  EXPECT_TRUE(answer == "unknown" || answer == "cannot watch: " + std::to_string(ECHILD)) << answer;
}

TEST(Spawn, names_the_path_of_a_missing_program) {
  SpawnOptions options;
  options.executable = "/nowhere/to/be/found";
  auto child = spawn(options);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.fault().kind, Fault::Kind::system);
  EXPECT_EQ(child.fault().error, ENOENT);
  EXPECT_NE(child.fault().message.find("/nowhere/to/be/found: No such file or directory"), std::string::npos)
      << child.fault().message;
}

TEST(Spawn, names_the_directory_that_cannot_be_entered) {
  SpawnOptions options = role("exit", {"0"});
  options.working_directory = "/nowhere";
  auto child = spawn(options);
  ASSERT_FALSE(child);
  EXPECT_NE(child.fault().message.find("in directory /nowhere"), std::string::npos) << child.fault().message;
  EXPECT_NE(child.fault().message.find("cannot be entered"), std::string::npos) << child.fault().message;
}

TEST(Spawn, says_that_a_program_may_not_be_executed) {
  SpawnOptions options;
  options.executable = "/proc/self/status";
  auto child = spawn(options);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.fault().error, EACCES) << child.fault().message;
}

TEST(Spawn, leaves_no_child_behind_when_the_program_cannot_be_started) {
  SpawnOptions options;
  options.executable = "/nowhere/to/be/found";
  ASSERT_FALSE(spawn(options));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(Spawn, gives_environment_directory_and_arguments) {
  SpawnOptions options = role("report_surroundings");
  options.environment = {{"WEFT_TEST_VARIABLE=seen", "LSAN_OPTIONS=detect_leaks=0"}};
  options.working_directory = "/usr";
  EXPECT_EQ(ask(options).text, "/usr|seen");
}

TEST(Spawn, inherits_environment_and_directory_when_none_is_given) {
  ::setenv("WEFT_TEST_VARIABLE", "inherited", 1);
  char directory[4096];
  ASSERT_NE(::getcwd(directory, sizeof directory), nullptr);
  EXPECT_EQ(ask(role("report_surroundings")).text, std::string{directory} + "|inherited");
  ::unsetenv("WEFT_TEST_VARIABLE");
}

TEST(Spawn, lets_no_descriptor_leak_whatever_its_flags) {
  const UniqueFd low{::open("/dev/null", O_RDONLY)};
  const UniqueFd high{::fcntl(low.get(), F_DUPFD, 900)};
  SpawnOptions options = role("report_descriptors");
  EXPECT_EQ(ask(options).text, "4=socket ");
}

TEST(Spawn, closes_what_lies_between_the_targets) {
  const UniqueFd zero{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};
  SpawnOptions options = role("report_descriptors");
  options.descriptors = {{zero.get(), 9}};
  const UniqueFd between{::fcntl(zero.get(), F_DUPFD, 6)};
  EXPECT_EQ(ask(options).text, "4=socket 9=/dev/zero ");
}

TEST(Spawn, hands_descriptors_on_though_sources_and_targets_cross) {
  const UniqueFd null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  const UniqueFd zero{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};
  const UniqueFd full{::open("/dev/full", O_RDONLY | O_CLOEXEC)};
  SpawnOptions options = role("report_descriptors");
  // Each source is the target of another pair, and one is its own; the targets begin above the answer's
  // socket.
  const int base = 20;
  const UniqueFd a{::fcntl(null.get(), F_DUPFD_CLOEXEC, base)};
  const UniqueFd b{::fcntl(zero.get(), F_DUPFD_CLOEXEC, base + 1)};
  const UniqueFd c{::fcntl(full.get(), F_DUPFD_CLOEXEC, base + 2)};
  ASSERT_EQ(c.get(), base + 2);
  options.descriptors = {{a.get(), b.get()}, {b.get(), a.get()}, {c.get(), c.get()}};
  EXPECT_EQ(ask(options).text, "4=socket 20=/dev/zero 21=/dev/null 22=/dev/full ");
}

TEST(Spawn, keeps_no_descriptor_of_its_own_open) {
  const auto lowest_free = [] { return UniqueFd{::dup(0)}.get(); };
  const int before = lowest_free();
  {
    const UniqueFd zero{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};
    SpawnOptions options = role("report_descriptors");
    options.descriptors = {{zero.get(), 30}};
    EXPECT_EQ(ask(options).text, "4=socket 30=/dev/zero ");
  }
  EXPECT_EQ(lowest_free(), before);
}

TEST(Spawn, says_which_descriptor_is_not_open) {
  SpawnOptions options = role("exit", {"0"});
  options.descriptors = {{987, 3}};
  auto child = spawn(options);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.fault().error, EBADF) << child.fault().message;
}

TEST(Spawn, starts_with_all_signals_open_and_at_their_defaults) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &all, &before), 0);
  const auto old = ::signal(SIGPIPE, SIG_IGN);
  const std::string answer = ask(role("report_signals")).text;
  ::signal(SIGPIPE, old);
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
  EXPECT_EQ(answer, "all default");
}

TEST(Spawn, names_the_limit_of_processes_when_it_is_reached) {
  const std::string answer = ask(role("spawn_beyond_nproc")).text;
  EXPECT_TRUE(answer.starts_with("exhausted: ")) << answer;
  EXPECT_NE(answer.find("RLIMIT_NPROC is 0"), std::string::npos) << answer;
  EXPECT_NE(answer.find("ulimit -u"), std::string::npos) << answer;
}

TEST(Spawn, names_the_limit_of_descriptors_and_leaves_no_process_when_it_is_reached) {
  // 0, 1, 2 and the socket are open; the one number that is left goes to the descriptor of the child, or to
  // none.
  auto pair = socket_pair();
  SpawnOptions options = role("spawn_beyond_nofile");
  const UniqueFd null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  options.descriptors = {{null.get(), 3}};
  const std::string answer = ask(options).text;
  EXPECT_TRUE(answer.starts_with("exhausted: ")) << answer;
  EXPECT_NE(answer.find("RLIMIT_NOFILE is 5"), std::string::npos) << answer;
}

TEST(ParentDeath, takes_the_worker_along_when_the_parent_is_killed) {
  Family family = start_family("parent");
  EXPECT_FALSE(has_ended(family.worker.get(), 0));
  kill(family.parent, SIGKILL);
  EXPECT_TRUE(has_ended(family.worker.get(), 60'000));
  EXPECT_TRUE(reap_within(family.parent, 60'000));
}

TEST(ParentDeath, takes_along_a_worker_that_is_stopped) {
  Family family = start_family("parent_of_stopped");
  kill(family.parent, SIGKILL);
  EXPECT_TRUE(has_ended(family.worker.get(), 60'000));
  EXPECT_TRUE(reap_within(family.parent, 60'000));
}

TEST(ParentDeath, is_noticed_though_it_came_before_the_call) {
  // To the child it looks so: its parent is not the one that it was told of.
  auto child = spawn(role("die_with", {"1"}));
  ASSERT_TRUE(child);
  auto status = reap_within(*child, 60'000);
  ASSERT_TRUE(status && status->has_value());
  EXPECT_EQ(describe(**status), "killed by SIGKILL (Killed)");
}

TEST(SignalNames, cover_real_time_and_unknown_signals) {
  EXPECT_EQ(describe_signal(SIGSEGV), "SIGSEGV (Segmentation fault)");
  EXPECT_EQ(signal_name(SIGRTMIN), "SIGRTMIN");
  EXPECT_EQ(signal_name(SIGRTMIN + 2), "SIGRTMIN+2");
  EXPECT_EQ(signal_name(400), "signal 400");
}

}  // namespace weft::process::test

int main(int argc, char** argv) {
  weft::process::test::play_role(argc, argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
