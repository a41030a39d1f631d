// A process dies at a failure point of the ring or of the take-back, at each of its passes in turn. The other side finds
// exactly what was committed, and exactly what had begun.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "ring/consumer.hpp"
#include "ring/producer.hpp"
#include "ring/take_back.hpp"

namespace weft::ring {
namespace {

constexpr std::uint32_t kLines = 16;
constexpr std::uint32_t kLine = 64;
constexpr std::uint32_t kFrames = 60;

/// What writer and reader share: the ring, the reader's counters, and what each notes for the test.
struct Shared {
  alignas(kLine) std::array<std::byte, kLines * kLine> ring{};
  LaneCounters reader{};
  std::atomic<std::uint32_t> commits{0};  ///< by the writer: commit() has returned so often
  std::array<std::atomic<std::uint32_t>, kFrames> effects{};  ///< by the reader: what the tasks did
};

class RingDeath : public testing::Test {
 protected:
  void SetUp() override {
    void* const memory =
        ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    shared_ = new (memory) Shared;
  }
  void TearDown() override { ::munmap(shared_, sizeof(Shared)); }

  // A child that dies at the given pass of the point, or returns from `role` and exits with 0. This process never passes
  // a failure point itself before it forks: the first pass of a process reads the environment.
  template <class Role>
  pid_t start(const std::string& point, Role role) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::setenv("WEFT_DIE_AT", point.c_str(), 1);
      role();
      ::_exit(0);
    }
    return child;
  }
  static bool is_over(pid_t child, int options, int& status) {
    return ::waitpid(child, &status, options) == child;
  }

  Shared* shared_ = nullptr;
};

std::uint32_t size_of(std::uint32_t frame) { return frame % 3 == 1 ? 2 * kLine : 8 + frame % 57; }

void write_frames(Shared& shared) {
  Producer out{shared.ring.data(), kLines, &shared.reader.consumed};
  for (std::uint32_t i = 0; i < kFrames; ++i) {
    std::byte* frame = nullptr;
    while ((frame = out.try_claim(size_of(i))) == nullptr) ::usleep(0);
    std::memset(frame + sizeof(FrameHead), static_cast<int>(i), size_of(i) - sizeof(FrameHead));
    out.commit(size_of(i));
    shared.commits.fetch_add(1);
    if (i % 2 == 0) out.prepare();
  }
}

// Reads what is there; false if it is not what the writer would have written.
bool read_frames(Consumer& in, std::uint32_t& found) {
  for (;;) {
    const Peek peek = in.peek();
    if (peek == Peek::none) {
      in.publish_consumed();
      return true;
    }
    if (peek == Peek::corrupt || found == kFrames || in.bytes() != size_of(found)) return false;
    for (std::uint32_t at = sizeof(FrameHead); at < in.bytes(); ++at) {
      if (in.data()[at] != static_cast<std::byte>(found)) return false;
    }
    ++found;
    in.release();
  }
}

struct WriterDeath {
  const char* point;
  std::uint32_t visible;  ///< frames that the reader finds beyond those whose commit() has returned
};

TEST_F(RingDeath, of_the_writer_leaves_exactly_what_was_committed) {
  const WriterDeath deaths[] = {
      {"ring.commit.before_publish", 0}, {"ring.commit.zeroed_next", 0}, {"ring.commit.after_publish", 1}};
  for (const WriterDeath& death : deaths) {
    bool died = true;
    for (std::uint32_t pass = 1; died; ++pass) {
      new (shared_) Shared;
      const std::string point = std::string{death.point} + ":" + std::to_string(pass);
      const pid_t writer = start(point, [this] { write_frames(*shared_); });
      Consumer in{shared_->ring.data(), kLines, &shared_->reader.consumed};
      std::uint32_t found = 0;
      int status = 0;
      while (!is_over(writer, WNOHANG, status)) ASSERT_TRUE(read_frames(in, found)) << point;
      ASSERT_TRUE(read_frames(in, found)) << point;
      died = WIFSIGNALED(status);
      if (died) {
        EXPECT_EQ(WTERMSIG(status), SIGKILL) << point;
        EXPECT_EQ(found, shared_->commits.load() + death.visible) << point;
      } else {
        EXPECT_EQ(found, kFrames) << point;
        EXPECT_GT(pass, kFrames) << "it dies at every one of the passes before";
      }
    }
  }
}

// The worker: runs frames that a writer has committed before.
void run_frames(Shared& shared) {
  Consumer in{shared.ring.data(), kLines, &shared.reader.consumed};
  for (std::uint32_t i = 0; in.peek() == Peek::frame; ++i) {
    if (begin(shared.reader, in)) shared.effects[i].store(1, std::memory_order_relaxed);
    in.release();
    claim(shared.reader, in.position());
    base::full_fence();
  }
}

TEST_F(RingDeath, of_the_reader_tells_exactly_what_had_begun) {
  constexpr std::uint32_t kTasks = 6;
  for (const char* const name : {"ring.claim.stored", "ring.begin.begun"}) {
    bool died = true;
    for (std::uint32_t pass = 1; died; ++pass) {
      new (shared_) Shared;
      const std::string point = std::string{name} + ":" + std::to_string(pass);
      const pid_t writer = start("", [this] {
        Producer out{shared_->ring.data(), kLines, &shared_->reader.consumed};
        for (std::uint32_t i = 0; i < kTasks; ++i) {
          if (out.try_claim(kLine) != nullptr) out.commit(kLine);
        }
      });
      int status = 0;
      ASSERT_TRUE(is_over(writer, 0, status));
      const pid_t reader = start(point, [this] { run_frames(*shared_); });
      ASSERT_TRUE(is_over(reader, 0, status));
      died = WIFSIGNALED(status);
      const std::uint64_t begun = shared_->reader.begun.load(base::relaxed);
      std::uint32_t ran = 0;
      for (std::uint32_t i = 0; i < kTasks; ++i) {
        const bool has_run = shared_->effects[i].load() != 0;
        ran += has_run ? 1 : 0;
        // Each frame is a line here, so its number is its position.
        EXPECT_EQ(has_run && i >= begun, false) << point << ", task " << i;
      }
      const bool between = died && std::string{name} == "ring.begin.begun";
      EXPECT_EQ(begun, ran + (between ? 1 : 0)) << point;
      EXPECT_TRUE(died || ran == kTasks) << point;
    }
  }
}

TEST_F(RingDeath, of_a_writer_that_takes_back_leaves_a_frame_that_does_not_run) {
  const pid_t writer = start("ring.take_back.withdrawn", [this] {
    Producer out{shared_->ring.data(), kLines, &shared_->reader.consumed};
    std::uint64_t last = 0;
    for (int i = 0; i < 2; ++i) {
      if (out.try_claim(kLine) != nullptr) last = out.commit(kLine);
    }
    static_cast<void>(try_take_back(out, last, shared_->reader));
  });
  int status = 0;
  ASSERT_TRUE(is_over(writer, 0, status));
  ASSERT_TRUE(WIFSIGNALED(status));
  const pid_t reader = start("", [this] { run_frames(*shared_); });
  ASSERT_TRUE(is_over(reader, 0, status));
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(shared_->effects[0].load(), 1U);
  EXPECT_EQ(shared_->effects[1].load(), 0U);
  EXPECT_EQ(shared_->reader.begun.load(base::relaxed), 1U);
}

}  // namespace
}  // namespace weft::ring
