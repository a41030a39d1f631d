// Open files that travel between processes.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

namespace {

std::int64_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
}

bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    out = weft::Descriptor{ends[0]};
    in = weft::Descriptor{ends[1]};
  }
  weft::Descriptor out;  ///< to be read from
  weft::Descriptor in;
};

void write_to(const weft::Descriptor& to, const std::string& text) {
  if (::write(to.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
}

std::string read_from(const weft::Descriptor& from) {
  std::array<char, 64> text{};
  const ssize_t count = ::read(from.get(), text.data(), text.size());
  return {text.data(), count > 0 ? static_cast<std::size_t>(count) : 0};
}

/// A pipe that has `text` in it.
weft::Descriptor holding(const std::string& text) {
  const Pipe pipe;
  write_to(pipe.in, text);
  return pipe.out;
}

TEST(Descriptor, closes_when_the_last_copy_goes_and_at_exec) {
  const std::int64_t before = open_descriptors();
  int number = -1;
  {
    std::optional<weft::Descriptor> first{holding("x")};
    number = first->get();
    EXPECT_NE(::fcntl(number, F_GETFD) & FD_CLOEXEC, 0);
    weft::Descriptor second = *first;
    const weft::Descriptor third = std::move(*first);
    first.reset();
    EXPECT_EQ(second.get(), number);
    second = {};
    EXPECT_FALSE(second);
    EXPECT_TRUE(is_open(number));
    EXPECT_EQ(read_from(third), "x");
  }
  EXPECT_FALSE(is_open(number));
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Descriptor, copies_what_stays_the_callers) {
  int number = -1;
  {
    const weft::Descriptor copy = weft::Descriptor::copy_of(STDERR_FILENO);
    number = copy.get();
    EXPECT_NE(number, STDERR_FILENO);
  }
  EXPECT_FALSE(is_open(number));
  EXPECT_TRUE(is_open(STDERR_FILENO));
}

TEST(Descriptor, refuses_what_is_not_open) {
  EXPECT_THROW(weft::Descriptor{-1}, weft::ArgumentError);
  EXPECT_THROW(static_cast<void>(weft::Descriptor::copy_of(1 << 20)), weft::ArgumentError);
}

std::string read_all_of(const std::vector<weft::Descriptor>& from) {
  std::string text;
  for (const weft::Descriptor& each : from) text += each ? read_from(each) : "-";
  return text;
}

struct Answer {
  std::string name;
  std::vector<weft::Descriptor> files;
};

TEST(Descriptor, travels_as_argument_and_result_inside_other_values) {
  weft::Pool pool{{.limit = 1}};
  EXPECT_EQ(pool.submit<read_from>(holding("alone")).get(), "alone");
  EXPECT_EQ(pool.submit<read_all_of>(std::vector{holding("a"), weft::Descriptor{}, holding("b")}).get(),
            "a-b");
  EXPECT_EQ(read_from(pool.submit<holding>("from there").get()), "from there");
  const Answer answer = pool.submit(
                                [](const std::string& name) {
                                  return Answer{name, {holding(name + "1"), {}, holding(name + "2")}};
                                },
                                "n")
                            .get();
  EXPECT_EQ(answer.name, "n");
  ASSERT_EQ(answer.files.size(), 3U);
  EXPECT_EQ(read_all_of(answer.files), "n1-n2");
  EXPECT_NE(::fcntl(answer.files[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(
      pool.submit([](const weft::Descriptor& here) { return ::fcntl(here.get(), F_GETFD) & FD_CLOEXEC; },
                  holding(""))
          .get(),
      0);
  // Beside bytes in shared memory, and in a payload that is in a block itself.
  const auto [file, buffer, text] =
      pool.submit(
              [](weft::Descriptor here, weft::Buffer bytes, std::string much) {
                return std::tuple{std::move(here), std::move(bytes), std::move(much)};
              },
              holding("both"), weft::Buffer::copy_of("bytes"), std::string(100'000, 'm'))
          .get();
  EXPECT_EQ(read_from(file), "both");
  EXPECT_EQ(buffer.text(), "bytes");
  EXPECT_EQ(text.size(), 100'000U);
  pool.shutdown();  // so that the next test finds nothing of it
}

TEST(Descriptor, goes_over_channels_both_ways) {
  weft::Pool pool{{.limit = 1}};
  const std::int64_t there = pool.submit<open_descriptors>().get();
  const std::int64_t here = open_descriptors();
  auto execution = pool.submit([](weft::TaskScope& scope) {
    auto parent = scope.channel<weft::Descriptor, weft::Descriptor>();
    for (int i = 0; i < 300; ++i) parent.send(holding(read_from(parent.receive()) + "!"));
    return open_descriptors();
  });
  auto channel = execution.channel<weft::Descriptor, weft::Descriptor>();
  std::jthread sender{[&] {
    for (int i = 0; i < 300; ++i) channel.send(holding(std::to_string(i)));
  }};
  for (int i = 0; i < 300; ++i) ASSERT_EQ(read_from(channel.receive()), std::to_string(i) + "!");
  sender.join();
  EXPECT_EQ(execution.get(), there);
  EXPECT_EQ(open_descriptors(), here);
  pool.shutdown();
}

TEST(Descriptor, goes_by_the_hundreds_and_leaves_nothing_behind) {
  weft::Pool pool{{.limit = 2}};
  for (auto& each : pool.broadcast<open_descriptors>()) static_cast<void>(each.get());
  weft::Lease lease = pool.lease();
  const std::int64_t there = lease.submit<open_descriptors>().get();
  const std::int64_t here = open_descriptors();
  {
    std::vector<weft::Execution<std::string>> read;
    std::vector<weft::Execution<weft::Descriptor>> made;
    for (int i = 0; i < 300; ++i) {
      read.push_back(lease.submit<read_from>(holding(std::to_string(i))));
      made.push_back(lease.submit<holding>("n" + std::to_string(i)));
    }
    for (std::size_t i = 0; i < read.size(); ++i) {
      EXPECT_EQ(read[i].get(), std::to_string(i));
      EXPECT_EQ(read_from(made[i].get()), "n" + std::to_string(i));
    }
  }
  EXPECT_EQ(lease.submit<open_descriptors>().get(), there);
  EXPECT_EQ(open_descriptors(), here);
  pool.shutdown();  // so that the next test finds nothing of it
}

TEST(Descriptor, is_refused_where_there_are_too_many_at_once) {
  weft::Pool pool{{.limit = 1}};
  const weft::Descriptor file = holding("");
  EXPECT_EQ(pool.submit<read_all_of>(std::vector(64, file)).get(), "");
  EXPECT_THROW(pool.submit<read_all_of>(std::vector(65, file)).get(), weft::EncodingError);
  EXPECT_THROW(pool.submit([] { return std::vector(65, holding("")); }).get(), weft::EncodingError);
  EXPECT_EQ(pool.status().workers_lost, 0U);
  pool.shutdown();  // so that the next test finds nothing of it
}

TEST(Descriptor, is_closed_on_both_sides_when_its_task_is_taken_back) {
  weft::Pool pool{{.limit = 1}};
  const std::int64_t there = pool.submit<open_descriptors>().get();
  const std::int64_t here = open_descriptors();
  {
    Pipe pipe;
    weft::Lease lease = pool.lease();  // so that they are sent, and not kept here
    auto blocked = lease.submit<read_from>(pipe.out);
    std::vector<weft::Execution<std::string>> waiting;
    for (int i = 0; i < 20; ++i) waiting.push_back(lease.submit<read_from>(holding("never read")));
    for (auto& each : waiting) {
      each.cancel("not needed");
      EXPECT_THROW(each.get(), weft::Cancelled);
    }
    write_to(pipe.in, "go on");
    EXPECT_EQ(blocked.get(), "go on");
  }
  EXPECT_EQ(pool.submit<open_descriptors>().get(), there);
  EXPECT_EQ(open_descriptors(), here);
  pool.shutdown();  // so that the next test finds nothing of it
}

/// Dies the first time: what is in the pipe can be read once.
std::string die_once(const weft::Descriptor& chances, const weft::Descriptor& text) {
  if (read_from(chances) == "die") ::raise(SIGKILL);
  return read_from(text);
}

TEST(Descriptor, goes_to_another_worker_when_its_own_dies) {
  weft::Pool pool{{.limit = 1}};
  static_cast<void>(pool.submit<open_descriptors>().get());
  const std::int64_t here = open_descriptors();
  {
    Pipe chances;
    ASSERT_NE(::fcntl(chances.out.get(), F_SETFL, O_NONBLOCK), -1);
    write_to(chances.in, "die");
    auto execution = pool.with({.retries = 1}).submit<die_once>(chances.out, holding("all the same"));
    EXPECT_EQ(execution.get(), "all the same");
  }
  EXPECT_EQ(pool.status().workers_lost, 1U);
  EXPECT_EQ(open_descriptors(), here);
  pool.shutdown();  // so that the next test finds nothing of it
}

TEST(Descriptor, costs_its_own_task_alone_where_the_worker_can_hold_no_more) {
  weft::Pool pool{{.limit = 1, .worker = {.limits = {.open_files = 40}}}};
  const std::int64_t there = pool.submit<open_descriptors>().get();
  try {
    static_cast<void>(pool.submit<read_all_of>(std::vector(50, holding(""))).get());
    ADD_FAILURE() << "nothing was thrown";
  } catch (const weft::Exhausted& error) {
    EXPECT_NE(std::string{error.what()}.find("RLIMIT_NOFILE is 40"), std::string::npos) << error.what();
  }
  EXPECT_EQ(pool.submit<read_from>(holding("goes on")).get(), "goes on");
  EXPECT_EQ(pool.submit<open_descriptors>().get(), there);
  EXPECT_EQ(pool.status().workers_lost, 0U);
  pool.shutdown();  // so that the next test finds nothing of it
}

TEST(Descriptor, costs_its_own_value_alone_where_this_process_can_hold_no_more) {
  weft::Pool pool{{.limit = 1}};
  static_cast<void>(pool.submit<open_descriptors>().get());
  const std::int64_t here = open_descriptors();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(here) + 10;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  auto many = pool.submit([] { return std::vector(50, holding("")); });
  EXPECT_THROW(static_cast<void>(many.get()), weft::Exhausted);
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  many = {};
  EXPECT_EQ(read_from(pool.submit<holding>("goes on").get()), "goes on");
  EXPECT_EQ(open_descriptors(), here);
  EXPECT_EQ(pool.status().workers_lost, 0U);
  pool.shutdown();  // so that the next test finds nothing of it
}

}  // namespace
