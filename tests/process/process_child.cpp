#include "process/process_child.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>
#include <thread>

#include "process/descriptors.hpp"
#include "process/parent_death.hpp"

#define KEPT_AS_IT_IS __attribute__((noinline, no_sanitize("undefined", "address")))

// Outside of any namespace and kept as they are, so that the tests know the names that a trace must have.
KEPT_AS_IT_IS void write_to_null() {
  volatile int* volatile nowhere = nullptr;
  *nowhere = 42;
}
KEPT_AS_IT_IS void call_nowhere() {
  using Function = void (*)();
  volatile Function nowhere = nullptr;
  nowhere();
  asm volatile("");  // so that the call is no tail call
}
KEPT_AS_IT_IS int recurse_without_end(int depth) {
  volatile char room[512];
  room[0] = static_cast<char>(depth);
  if (depth < 0) return 0;
  return recurse_without_end(depth + 1) + room[0];
}
#if defined(__x86_64__)
KEPT_AS_IT_IS void break_the_stack() { asm volatile("mov $4096, %rsp\n\tmov $4096, %rbp\n\tud2"); }
#endif
KEPT_AS_IT_IS int divide_by_zero() {
  volatile int zero = 0;
  return 42 / zero;
}
KEPT_AS_IT_IS void crash_in_libc() {
  ::qsort(reinterpret_cast<void*>(8), 1000, 8, [](const void*, const void*) { return 0; });
  asm volatile("");
}
static inline __attribute__((always_inline)) void inlined_crash() {
  volatile int* volatile nowhere = nullptr;
  *nowhere = 42;
}
KEPT_AS_IT_IS void crash_in_inlined_function() {
  inlined_crash();
  asm volatile("");
}

namespace weft::process::test {

namespace {

BlackBox* own_box = nullptr;

void install() {
  void* const mapped = ::mmap(nullptr, kBlackBoxBytes, PROT_READ | PROT_WRITE, MAP_SHARED, kBlackBoxFd, 0);
  if (mapped == MAP_FAILED) ::_exit(101);
  own_box = make_black_box({static_cast<std::byte*>(mapped), kBlackBoxBytes});
  if (!install_crash_handlers(own_box)) ::_exit(102);
  load_unwinder();
}

void overflow_a_fibers_stack() {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t bytes = 16 * page;
  void* const stack = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ::mprotect(stack, page, PROT_NONE);
  static ucontext_t fiber;
  static ucontext_t outside;
  ::getcontext(&fiber);
  fiber.uc_stack.ss_sp = stack;
  fiber.uc_stack.ss_size = bytes;
  fiber.uc_link = &outside;
  ::makecontext(
      &fiber, +[] { static_cast<void>(recurse_without_end(0)); }, 0);
  ::swapcontext(&outside, &fiber);
}

void touch_a_truncated_file() {
  const int file = static_cast<int>(::syscall(SYS_memfd_create, "truncated", 0U));
  auto* const mapped = static_cast<volatile char*>(::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file, 0));
  static_cast<void>(*mapped);
}

void crash_in_two_threads() {
  std::barrier together{2};
  const auto crash = [&together] {
    together.arrive_and_wait();
    write_to_null();
  };
  std::thread one{crash};
  std::thread other{crash};
  one.join();
  other.join();
}

void overflow_a_threads_stack() {
  std::thread{[] {
    const AlternateStack stack;
    if (stack) static_cast<void>(recurse_without_end(0));
  }}.join();
}

void crash_without_descriptors() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_NOFILE, &none);
  write_to_null();
}

struct CustomError {};

struct AwkwardError : std::exception {
  const char* what() const noexcept override { return "two\033[31m lines\nof trouble"; }
};

void say(const std::string& text) {
  if (!send(kSocketFd, std::as_bytes(std::span{text}))) ::_exit(103);
}

/// Everything that the parent wants to know about what it handed on.
void report_descriptors() {
  std::string text;
  std::vector<int> numbers;
  DIR* const folder = ::opendir("/proc/self/fd");
  while (const dirent* entry = ::readdir(folder)) {
    const int number = std::atoi(entry->d_name);
    if (entry->d_name[0] != '.' && number > 2 && number != ::dirfd(folder)) numbers.push_back(number);
  }
  ::closedir(folder);
  std::sort(numbers.begin(), numbers.end());
  for (const int number : numbers) {
    char target[256];
    const std::string link = "/proc/self/fd/" + std::to_string(number);
    const ssize_t length = ::readlink(link.c_str(), target, sizeof target);
    const std::string name{target, static_cast<std::size_t>(std::max<ssize_t>(0, length))};
    text += std::to_string(number) + "=" + (name.starts_with("socket") ? "socket" : name) + " ";
  }
  say(text);
}

void report_signals() {
  sigset_t mask;
  sigemptyset(&mask);
  ::sigprocmask(SIG_BLOCK, nullptr, &mask);
  for (int signal = 1; signal < SIGRTMAX; ++signal) {
    if (sigismember(&mask, signal) == 1) return say("blocked: " + signal_name(signal));
    // Sanitizers have handlers for crashes of their own, in each process.
    if (signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE) continue;
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_DFL) {
      return say("not at its default: " + signal_name(signal));
    }
  }
  say("all default");
}

void report_surroundings() {
  char directory[4096];
  const char* const variable = std::getenv("WEFT_TEST_VARIABLE");
  say(std::string{::getcwd(directory, sizeof directory)} + "|" + (variable == nullptr ? "unset" : variable));
}

[[noreturn]] void wait_for_ever() {
  for (;;) ::pause();
}

/// A worker that dies with its parent; it says when it is so, and answers for as long as it lives.
void die_with_the_one_named(const std::string& parent) {
  die_with_parent(std::atoi(parent.c_str()));
  say("ready");
  std::array<std::byte, 64> buffer;
  for (;;) {
    auto question = receive(kSocketFd, buffer, 0, Wait::yes);
    if (!question || question->state == Received::State::closed) wait_for_ever();
    say("alive");
  }
}

/// Waits for a message; ends this process if the other end closes instead.
void expect_word(int socket) {
  std::array<std::byte, 64> buffer;
  auto word = receive(socket, buffer, 0, Wait::yes);
  if (!word || word->state != Received::State::message) ::_exit(105);
}

/// Starts a worker, hands its pidfd up once the worker has answered (and been stopped, if asked to), and waits to be
/// killed.
void be_a_parent(bool of_stopped) {
  auto pair = socket_pair();
  SpawnOptions options = role("die_with", {std::to_string(::getpid())});
  options.descriptors = {{pair->theirs.get(), kSocketFd}};
  auto worker = spawn(options);
  if (!worker) ::_exit(104);
  pair->theirs.reset();
  expect_word(pair->ours.get());
  if (of_stopped) {
    kill(*worker, SIGSTOP);
    siginfo_t stopped{};
    if (::waitid(P_PID, static_cast<id_t>(worker->pid), &stopped, WSTOPPED | WNOWAIT) != 0) ::_exit(107);
  }
  const int pidfd = worker->pidfd.get();
  if (!send(kSocketFd, std::as_bytes(std::span{"child", 5}), std::span{&pidfd, 1})) ::_exit(106);
  wait_for_ever();
}

void spawn_beyond(decltype(RLIMIT_NPROC) resource) {
  const rlimit limit{resource == RLIMIT_NPROC ? 0U : 5U, resource == RLIMIT_NPROC ? 0U : 5U};
  ::setrlimit(resource, &limit);
  // RLIMIT_NPROC does not bind root.
  if (resource == RLIMIT_NPROC && ::getuid() == 0 && ::setuid(65534) != 0) ::_exit(107);
  auto child = spawn(role("exit", {"0"}));
  if (child) return say("started");
  const bool exhausted = child.fault().kind == base::Fault::Kind::exhausted;
  say((exhausted ? "exhausted: " : "other: ") + child.fault().message);
}

void ignore_children() {
  ::signal(SIGCHLD, SIG_IGN);
  auto child = spawn(role("exit", {"3"}));
  if (!child) return say("cannot watch: " + std::to_string(child.fault().error));
  auto status = reap_within(*child, 60'000);
  if (!status || !status->has_value()) return say("fault");
  say((*status)->known ? "known" : "unknown");
}

using Role = void (*)(const std::string& argument);

const std::map<std::string, Role>& roles() {
  static const std::map<std::string, Role> all{
      {"exit", [](const std::string& code) { ::_exit(std::atoi(code.c_str())); }},
      {"wait",
       [](const std::string&) {
         say("waiting");
         wait_for_ever();
       }},
      {"report_descriptors", [](const std::string&) { report_descriptors(); }},
      {"report_signals", [](const std::string&) { report_signals(); }},
      {"report_surroundings", [](const std::string&) { report_surroundings(); }},
      {"die_with", die_with_the_one_named},
      {"parent", [](const std::string&) { be_a_parent(false); }},
      {"parent_of_stopped", [](const std::string&) { be_a_parent(true); }},
      {"spawn_beyond_nproc", [](const std::string&) { spawn_beyond(RLIMIT_NPROC); }},
      {"spawn_beyond_nofile", [](const std::string&) { spawn_beyond(RLIMIT_NOFILE); }},
      {"ignore_children", [](const std::string&) { ignore_children(); }},
  };
  return all;
}

/// Roles that crash; all but their name is the same.
const std::map<std::string, void (*)()>& crashes() {
  static const std::map<std::string, void (*)()> all {
    {"write_to_null", write_to_null}, {"call_nowhere", call_nowhere},
        {"crash_in_inlined_function", crash_in_inlined_function},
        {"overflow", [] { static_cast<void>(recurse_without_end(0)); }},
        {"overflow_fiber", overflow_a_fibers_stack}, {"overflow_thread", overflow_a_threads_stack},
#if defined(__x86_64__)
        {"break_the_stack", break_the_stack},
#endif
        {"divide_by_zero", [] { static_cast<void>(divide_by_zero()); }},
        {"truncated_file", touch_a_truncated_file}, {"abort", [] { std::abort(); }},
        {"trap", [] { ::raise(SIGTRAP); }}, {"illegal", [] { __builtin_trap(); }},
        {"sys", [] { ::raise(SIGSYS); }}, {"throw", [] { throw AwkwardError{}; }},
        {"throw_custom", [] { throw CustomError{}; }},
        {"throw_text", [] { throw std::string{"just a text"}; }}, {"terminate", [] { std::terminate(); }},
        {"two_threads", crash_in_two_threads}, {"no_descriptors", crash_without_descriptors},
        {"crash_in_libc", crash_in_libc},
        {"exit_in_task",
         [] {
           set_activity(*own_box, 17, 4, 99);
           note(*own_box, "exit(3) called inside a task");
           ::_exit(3);
         }},
        {"killed", [] { ::raise(SIGKILL); }},
  };
  return all;
}

}  // namespace

void play_role(int argc, char** argv) {
  if (argc < 3 || std::strcmp(argv[1], "--role") != 0) return;
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  if (const auto found = crashes().find(argv[2]); found != crashes().end()) {
    install();
    found->second();
    ::_exit(108);
  }
  const auto found = roles().find(argv[2]);
  if (found == roles().end()) ::_exit(109);
  found->second(argc > 3 ? argv[3] : "");
  ::_exit(0);
}

SpawnOptions role(const std::string& name, std::vector<std::string> arguments) {
  SpawnOptions options;
  options.arguments = {"process_test", "--role", name};
  options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
  return options;
}

SharedBox::SharedBox() : file_{static_cast<int>(::syscall(SYS_memfd_create, "box", 1U /* MFD_CLOEXEC */))} {
  EXPECT_EQ(::ftruncate(file_.get(), kBlackBoxBytes), 0);
  void* const mapped = ::mmap(nullptr, kBlackBoxBytes, PROT_READ, MAP_SHARED, file_.get(), 0);
  EXPECT_NE(mapped, MAP_FAILED);
  mapped_ = static_cast<const std::byte*>(mapped);
}

SharedBox::~SharedBox() { ::munmap(const_cast<std::byte*>(mapped_), kBlackBoxBytes); }

Ending run(const std::string& role_name) {
  const SharedBox box;
  SpawnOptions options = role(role_name);
  options.descriptors = {{box.fd(), kBlackBoxFd}};
  auto child = spawn(options);
  EXPECT_TRUE(child) << child.fault().message;
  if (!child) return {};
  auto status = reap_within(*child, 60'000);
  EXPECT_TRUE(status);
  EXPECT_TRUE(status && status->has_value()) << role_name << " does not end";
  if (!status || !status->has_value()) {
    kill(*child, SIGKILL);
    return {};
  }
  auto record = read_crash_record(box.area());
  EXPECT_TRUE(record) << record.fault().message;
  return {**status, record ? *record : CrashRecord{}};
}

}  // namespace weft::process::test
