#pragma once
// Runs part of a test in a forked child, for what must not happen to the test itself: limits, signals,
// seccomp.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

namespace weft::memory_test {

/// In the child: ends it with a line on stderr unless `condition` holds.
inline void child_expect(bool condition, const char* what, int line) {
  if (condition) return;
  std::fprintf(stderr, "in the child, line %d: %s\n", line, what);
  ::_exit(1);
}

/// True if `body`, run in a forked child, returned. The caller has one thread.
template <class Body>
testing::AssertionResult succeeds_in_child(Body body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return testing::AssertionFailure() << "fork failed";
  if (child == 0) {
    body();
    ::_exit(0);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child) return testing::AssertionFailure() << "waitpid failed";
  if (WIFSIGNALED(status))
    return testing::AssertionFailure() << "the child died of signal " << WTERMSIG(status);
  if (WEXITSTATUS(status) != 0)
    return testing::AssertionFailure() << "the child said " << WEXITSTATUS(status);
  return testing::AssertionSuccess();
}

}  // namespace weft::memory_test

#define CHILD_EXPECT(condition) \
  ::weft::memory_test::child_expect(static_cast<bool>(condition), #condition, __LINE__)
