// The control socket: messages, descriptors, and what a hostile peer may try.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

#include "process/descriptors.hpp"

namespace weft::process {

namespace {

using base::Fault;
using base::UniqueFd;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span{text}); }

class ControlSocket : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = socket_pair();
    ASSERT_TRUE(made) << made.fault().message;
    pair_ = std::move(*made);
  }
  [[nodiscard]] int here() const { return pair_.ours.get(); }
  [[nodiscard]] int there() const { return pair_.theirs.get(); }
  void close_there() { pair_.theirs.reset(); }
  [[nodiscard]] std::string text(const Received& received) const {
    return {reinterpret_cast<const char*>(buffer_.data()), received.bytes};
  }

  SocketPair pair_;
  std::array<std::byte, 256> buffer_{};
};

int lowest_free_descriptor() { return UniqueFd{::dup(0)}.get(); }

ino_t inode(int fd) {
  struct stat status {};
  EXPECT_EQ(::fstat(fd, &status), 0);
  return status.st_ino;
}

}  // namespace

TEST_F(ControlSocket, keeps_messages_apart) {
  ASSERT_TRUE(send(here(), bytes_of("one")));
  ASSERT_TRUE(send(here(), bytes_of("two and more")));
  auto first = receive(there(), buffer_);
  ASSERT_TRUE(first && first->state == Received::State::message);
  EXPECT_EQ(text(*first), "one");
  auto second = receive(there(), buffer_);
  ASSERT_TRUE(second);
  EXPECT_EQ(text(*second), "two and more");
}

TEST_F(ControlSocket, is_closed_on_exec_and_so_is_what_arrives) {
  EXPECT_EQ(::fcntl(here(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(there(), F_GETFD), FD_CLOEXEC);
  const UniqueFd null{::open("/dev/null", O_RDONLY)};
  const int sent[] = {null.get()};
  ASSERT_TRUE(send(here(), bytes_of("take it"), sent));
  auto received = receive(there(), buffer_, 1);
  ASSERT_TRUE(received);
  ASSERT_EQ(received->descriptors.size(), 1U);
  EXPECT_EQ(::fcntl(received->descriptors[0].get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(ControlSocket, carries_descriptors_in_their_order) {
  const UniqueFd null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  const UniqueFd zero{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};
  const UniqueFd full{::open("/dev/full", O_RDONLY | O_CLOEXEC)};
  const int sent[] = {full.get(), null.get(), zero.get()};
  ASSERT_TRUE(send(here(), bytes_of("three"), sent));
  auto received = receive(there(), buffer_, kDescriptorsMax);
  ASSERT_TRUE(received);
  EXPECT_EQ(text(*received), "three");
  ASSERT_EQ(received->descriptors.size(), 3U);
  for (std::size_t index = 0; index < 3; ++index) {
    EXPECT_EQ(inode(received->descriptors[index].get()), inode(sent[index]));
  }
}

TEST_F(ControlSocket, carries_as_many_descriptors_as_it_says) {
  const UniqueFd null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  const std::vector<int> sent(kDescriptorsMax, null.get());
  ASSERT_TRUE(send(here(), bytes_of("many"), sent));
  auto received = receive(there(), buffer_, kDescriptorsMax);
  ASSERT_TRUE(received) << received.fault().message;
  EXPECT_EQ(received->descriptors.size(), kDescriptorsMax);
}

TEST_F(ControlSocket, refuses_and_closes_more_descriptors_than_were_expected) {
  const UniqueFd null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  const int free_before = lowest_free_descriptor();
  for (std::size_t expected = 0; expected < 4; ++expected) {
    const std::vector<int> sent(expected + 1, null.get());
    ASSERT_TRUE(send(here(), bytes_of("too many"), sent));
    auto received = receive(there(), buffer_, expected);
    ASSERT_FALSE(received) << expected;
    EXPECT_EQ(received.fault().kind, Fault::Kind::violation);
    EXPECT_EQ(lowest_free_descriptor(), free_before) << expected;
  }
}

TEST_F(ControlSocket, refuses_a_message_that_is_too_long_and_closes_what_came_with_it) {
  const UniqueFd null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  const int free_before = lowest_free_descriptor();
  const int sent[] = {null.get()};
  ASSERT_TRUE(send(here(), bytes_of(std::string(buffer_.size() + 1, 'x')), sent));
  auto received = receive(there(), buffer_, 1);
  ASSERT_FALSE(received);
  EXPECT_EQ(received.fault().kind, Fault::Kind::violation);
  EXPECT_EQ(lowest_free_descriptor(), free_before);
}

TEST_F(ControlSocket, does_not_blame_the_peer_when_this_process_has_no_descriptor_left) {
  const UniqueFd null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  const int sent[] = {null.get(), null.get()};
  ASSERT_TRUE(send(here(), bytes_of("two"), sent));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int free_before = lowest_free_descriptor();
  const rlimit one_more{static_cast<rlim_t>(free_before) + 1, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &one_more), 0);
  auto received = receive(there(), buffer_, 2);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(received);
  EXPECT_EQ(received.fault().kind, Fault::Kind::exhausted);
  EXPECT_NE(received.fault().message.find("RLIMIT_NOFILE"), std::string::npos) << received.fault().message;
  EXPECT_EQ(lowest_free_descriptor(), free_before);
}

TEST_F(ControlSocket, tells_an_empty_socket_from_a_closed_one) {
  auto empty = receive(there(), buffer_);
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->state, Received::State::would_block);
  pair_.ours.reset();
  auto closed = receive(there(), buffer_);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->state, Received::State::closed);
}

TEST_F(ControlSocket, delivers_what_was_sent_before_the_end) {
  ASSERT_TRUE(send(here(), bytes_of("last words")));
  pair_.ours.reset();
  auto last = receive(there(), buffer_);
  ASSERT_TRUE(last);
  EXPECT_EQ(text(*last), "last words");
  EXPECT_EQ(receive(there(), buffer_)->state, Received::State::closed);
}

TEST_F(ControlSocket, is_closed_too_when_the_peer_left_messages_unread) {
  ASSERT_TRUE(send(here(), bytes_of("never read")));
  close_there();
  auto received = receive(here(), buffer_);
  ASSERT_TRUE(received) << received.fault().message;
  EXPECT_EQ(received->state, Received::State::closed);
}

TEST_F(ControlSocket, delivers_what_a_peer_sent_that_left_messages_unread) {
  ASSERT_TRUE(send(here(), bytes_of("never read")));
  ASSERT_TRUE(send(there(), bytes_of("the last word")));
  close_there();
  auto word = receive(here(), buffer_);
  ASSERT_TRUE(word && word->state == Received::State::message);
  EXPECT_EQ(text(*word), "the last word");
  EXPECT_EQ(receive(here(), buffer_)->state, Received::State::closed);
}

TEST_F(ControlSocket, reports_a_full_socket_and_a_missing_peer_without_a_signal) {
  base::Result<void> sent;
  int count = 0;
  while ((sent = send(here(), bytes_of(std::string(200, 'x')))) && count < 1'000'000) ++count;
  ASSERT_FALSE(sent);
  EXPECT_TRUE(would_block(sent.fault())) << sent.fault().message;
  EXPECT_FALSE(peer_gone(sent.fault()));
  close_there();
  sent = send(here(), bytes_of("hello?"));
  ASSERT_FALSE(sent);
  EXPECT_TRUE(peer_gone(sent.fault())) << sent.fault().message;
}

TEST_F(ControlSocket, waits_for_a_message_when_it_is_told_to_whatever_signals_come) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = +[](int) {};  // no SA_RESTART: the call returns EINTR
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  const pthread_t receiver = ::pthread_self();
  std::thread sender{[&] {
    for (int pass = 0; pass < 100; ++pass) ::pthread_kill(receiver, SIGUSR1);
    EXPECT_TRUE(send(here(), bytes_of("at last")));
  }};
  auto received = receive(there(), buffer_, 0, Wait::yes);
  sender.join();
  ASSERT_EQ(::sigaction(SIGUSR1, &before, nullptr), 0);
  ASSERT_TRUE(received);
  EXPECT_EQ(text(*received), "at last");
}

TEST_F(ControlSocket, faults_on_something_that_is_no_socket) {
  const UniqueFd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  EXPECT_FALSE(send(null.get(), bytes_of("x")));
  auto received = receive(null.get(), buffer_);
  ASSERT_FALSE(received);
  EXPECT_EQ(received.fault().kind, Fault::Kind::system);
}

}  // namespace weft::process
