// A program that does not call weft::init: gtest's own main does not.

#include <errno.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <string>
#include <weft/weft.hpp>

namespace {

template <class Make>
void expect_told(Make make) {
  try {
    make();
    FAIL() << "it would have run main() once more in each worker";
  } catch (const weft::NotInitialized& error) {
    EXPECT_NE(std::string{error.what()}.find("weft::init"), std::string::npos) << error.what();
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD) << "a process was started";
}

TEST(Forgetful, programs_are_told_to_call_init_and_nothing_is_started) {
  expect_told([] { weft::Pool pool; });
  expect_told([] { weft::Pool{{.limit = 1}}.submit([] {}).get(); });
  expect_told([] { weft::Worker worker; });
}

}  // namespace
