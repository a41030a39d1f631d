#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.hpp"
#include "memory/arena.hpp"
#include "memory/exhaustion.hpp"
#include "memory/region.hpp"
#include "memory_in_child.hpp"

namespace weft::memory {
namespace {

using base::Fault;
using base::Result;
using memory_test::succeeds_in_child;

constexpr std::uint64_t kMiB = 1U << 20;

void set_limit(decltype(RLIMIT_FSIZE) which, rlim_t value) {
  rlimit limit{};
  CHILD_EXPECT(::getrlimit(which, &limit) == 0);
  limit.rlim_cur = value;
  CHILD_EXPECT(::setrlimit(which, &limit) == 0);
}

bool is_exhausted(const Fault& fault, const char* limit) {
  const bool named = fault.kind == Fault::Kind::exhausted && fault.message.find(limit) != std::string::npos;
  if (!named) std::fprintf(stderr, "not exhausted by %s: %s\n", limit, fault.message.c_str());
  return named;
}

bool is_pending(int signal) {
  sigset_t pending;
  ::sigpending(&pending);
  return ::sigismember(&pending, signal) == 1;
}

bool is_blocked(int signal) {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return ::sigismember(&mask, signal) == 1;
}

TEST(Exhaustion, of_the_file_size_limit_is_named_and_sends_no_signal) {
  EXPECT_TRUE(succeeds_in_child([] {
    set_limit(RLIMIT_FSIZE, 64 * 1024);
    Result<OwnedRegion> region = OwnedRegion::create("weft-test", kMiB);
    CHILD_EXPECT(!region);
    CHILD_EXPECT(is_exhausted(region.fault(), "RLIMIT_FSIZE (65536 bytes"));
    CHILD_EXPECT(region.fault().error == EFBIG);
    Result<base::UniqueFd> offered = OwnedRegion::offer("weft-test", kMiB);
    CHILD_EXPECT(!offered && is_exhausted(offered.fault(), "RLIMIT_FSIZE (65536 bytes"));
    CHILD_EXPECT(!is_pending(SIGXFSZ));
    CHILD_EXPECT(!is_blocked(SIGXFSZ));
    struct sigaction action {};
    CHILD_EXPECT(::sigaction(SIGXFSZ, nullptr, &action) == 0 && action.sa_handler == SIG_DFL);
    // What fits is still to be had.
    Result<OwnedRegion> small = OwnedRegion::create("weft-test", 64 * 1024);
    CHILD_EXPECT(small);
    std::memset(small->data(), 1, small->bytes());
  }));
}

TEST(Exhaustion, leaves_a_signal_that_was_pending_before) {
  EXPECT_TRUE(succeeds_in_child([] {
    sigset_t xfsz;
    ::sigemptyset(&xfsz);
    ::sigaddset(&xfsz, SIGXFSZ);
    ::pthread_sigmask(SIG_BLOCK, &xfsz, nullptr);
    ::raise(SIGXFSZ);
    set_limit(RLIMIT_FSIZE, 4096);
    CHILD_EXPECT(!OwnedRegion::create("weft-test", kMiB));
    CHILD_EXPECT(is_pending(SIGXFSZ));
    CHILD_EXPECT(is_blocked(SIGXFSZ));
  }));
}

TEST(Exhaustion, of_descriptors_is_named_and_leaves_the_arena_usable) {
  EXPECT_TRUE(succeeds_in_child([] {
    Arena arena;
    Result<Block> before = arena.allocate(100);
    CHILD_EXPECT(before);
    const int next = ::dup(STDERR_FILENO);
    CHILD_EXPECT(next >= 0);
    ::close(next);
    set_limit(RLIMIT_NOFILE, static_cast<rlim_t>(next));
    Result<Block> refused = arena.allocate(kMiB);
    CHILD_EXPECT(!refused);
    CHILD_EXPECT(is_exhausted(refused.fault(), "RLIMIT_NOFILE"));
    CHILD_EXPECT(refused.fault().error == EMFILE);
    // The chunk that is there goes on serving.
    Result<Block> after = arena.allocate(100);
    CHILD_EXPECT(after);
    // And an idle chunk is given up for a new one that is needed.
    before->reset();
    after->reset();
    Result<Block> instead = arena.allocate(kMiB);
    CHILD_EXPECT(instead);
    std::memset(instead->data(), 1, kMiB);
  }));
}

std::uint64_t address_space_bytes() {
  unsigned long pages = 0;
  std::FILE* statm = std::fopen("/proc/self/statm", "r");
  CHILD_EXPECT(statm != nullptr && std::fscanf(statm, "%lu", &pages) == 1);
  std::fclose(statm);
  return pages * 4096;
}

TEST(Exhaustion, of_address_space_is_named) {
  EXPECT_TRUE(succeeds_in_child([] {
    set_limit(RLIMIT_AS, address_space_bytes() + 128 * kMiB);
    Result<OwnedRegion> region = OwnedRegion::create("weft-test", 512 * kMiB);
    CHILD_EXPECT(!region);
    CHILD_EXPECT(is_exhausted(region.fault(), "RLIMIT_AS ("));
    Result<OwnedRegion> small = OwnedRegion::create("weft-test", 4 * kMiB);
    CHILD_EXPECT(small);
    std::memset(small->data(), 1, small->bytes());
  }));
}

TEST(Exhaustion, of_the_control_group_is_foreseen) {
  RegionOptions options;
  options.headroom_bytes = kMiB;
  Result<OwnedRegion> region = OwnedRegion::create("weft-test", kMiB + 1, options);
  ASSERT_FALSE(region);
  EXPECT_TRUE(is_exhausted(region.fault(), "memory.max"));
  EXPECT_TRUE(OwnedRegion::create("weft-test", kMiB, options));
}

TEST(Exhaustion, of_the_control_group_is_asked_for_before_each_chunk) {
  static std::optional<std::uint64_t> headroom;
  Arena arena{{.headroom_bytes = []() noexcept { return headroom; }}};
  EXPECT_TRUE(arena.allocate(kMiB));
  headroom = 4096;
  Result<Block> refused = arena.allocate(16 * kMiB);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(is_exhausted(refused.fault(), "memory.max"));
  headroom.reset();
  EXPECT_TRUE(arena.allocate(16 * kMiB));
}

/// From here on fallocate fails with `error` in this process: a machine that has promised all that it may cannot be had for a test.
void let_fallocate_fail(int error) {
  std::array<sock_filter, 4> code{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fallocate, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  CHILD_EXPECT(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHILD_EXPECT(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

TEST(Exhaustion, of_what_the_system_may_promise_is_named_and_leaves_what_is_there_usable) {
  EXPECT_TRUE(succeeds_in_child([] {
    Result<OwnedRegion> before = OwnedRegion::create("weft-test", kMiB);
    CHILD_EXPECT(before);
    let_fallocate_fail(ENOSPC);
    Result<OwnedRegion> region = OwnedRegion::create("weft-test", kMiB);
    CHILD_EXPECT(!region && is_exhausted(region.fault(), "vm.overcommit_memory"));
    CHILD_EXPECT(region.fault().error == ENOSPC);
    Result<base::UniqueFd> offered = OwnedRegion::offer("weft-test", kMiB);
    CHILD_EXPECT(!offered && is_exhausted(offered.fault(), "vm.overcommit_memory"));
    std::memset(before->data(), 1, before->bytes());
  }));
}

TEST(Exhaustion, is_put_off_by_a_smaller_chunk) {
  static std::optional<std::uint64_t> headroom;
  Arena arena{{.headroom_bytes = []() noexcept { return headroom; }}};
  std::vector<Block> blocks;
  const auto allocate = [&] {
    Result<Block> block = arena.allocate(64 * 1024);
    if (block) blocks.push_back(std::move(*block));
    return static_cast<bool>(block);
  };
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(allocate());
  // The next chunk would be of 1 MiB or more; one block is still to be had each time.
  headroom = 64 * 1024;
  for (int i = 0; i < 64; ++i) EXPECT_TRUE(allocate());
  headroom = 64 * 1024 - 1;
  while (blocks.size() < 1000 && allocate()) {
  }
  EXPECT_LT(blocks.size(), 1000U);
}

/// What the arena keeps warm after `count` blocks of 1 MiB each were held at once.
std::uint64_t warm_bytes_after(Arena& arena, int count) {
  std::vector<Block> blocks;
  for (int i = 0; i < count; ++i) {
    Result<Block> block = arena.allocate(kMiB);
    if (block) blocks.push_back(std::move(*block));
  }
  blocks.clear();
  return arena.stats().warm_bytes;
}

TEST(Exhaustion, near_the_limit_of_the_control_group_keeps_little_warm) {
  static std::optional<std::uint64_t> headroom;
  Arena arena{{.headroom_bytes = []() noexcept { return headroom; }}};
  EXPECT_GE(warm_bytes_after(arena, 40), 40 * kMiB);
  arena.trim(0);
  headroom = 64 * kMiB;
  const std::uint64_t warm = warm_bytes_after(arena, 40);
  EXPECT_LE(warm, 64 * kMiB / base::kWarmShare);
  EXPECT_GT(warm, 0U);
}

TEST(Exhaustion, of_address_space_is_put_off_by_keeping_little_warm) {
  EXPECT_TRUE(succeeds_in_child([] {
    const std::uint64_t limit = address_space_bytes() + 1024 * kMiB;
    set_limit(RLIMIT_AS, limit);
    Arena arena;
    const std::uint64_t warm = warm_bytes_after(arena, 200);
    CHILD_EXPECT(warm <= limit / base::kWarmShare);
    CHILD_EXPECT(warm > 0);
  }));
}

TEST(Exhaustion, of_the_machine_is_foreseen) {
  Result<OwnedRegion> region = OwnedRegion::create("weft-test", std::uint64_t{1} << 45);
  ASSERT_FALSE(region);
  EXPECT_TRUE(is_exhausted(region.fault(), "memory and swap left"));
}

TEST(Exhaustion, of_numbers_is_an_error_like_any_other) {
  Arena arena;
  for (const std::uint64_t bytes : {base::kRegionBytesMax + 1, ~std::uint64_t{0}, ~std::uint64_t{0} - 4096}) {
    Result<OwnedRegion> region = OwnedRegion::create("weft-test", bytes);
    ASSERT_FALSE(region);
    EXPECT_EQ(region.fault().kind, Fault::Kind::exhausted);
    Result<Block> block = arena.allocate(bytes);
    ASSERT_FALSE(block);
    EXPECT_EQ(block.fault().kind, Fault::Kind::exhausted);
  }
}

TEST(Exhaustion, descriptions_name_the_limit_and_the_remedy) {
  struct Case {
    Step step;
    int error;
    const char* limit;
    const char* remedy;
  };
  for (const Case& c : {Case{Step::size, EFBIG, "RLIMIT_FSIZE", "ulimit -f"},
                        Case{Step::create, EMFILE, "RLIMIT_NOFILE", "ulimit -n"},
                        Case{Step::create, ENFILE, "fs.file-max", "sysctl"},
                        Case{Step::reserve, ENOSPC, "vm.overcommit_memory", "sysctl"},
                        Case{Step::reserve, ENOMEM, "memory.max", "raise that limit"},
                        Case{Step::map, ENOMEM, "vm.max_map_count", "sysctl"},
                        Case{Step::map, EAGAIN, "RLIMIT_MEMLOCK", "ulimit -l"}}) {
    const Fault fault = describe_failure(c.step, c.error, 12345);
    EXPECT_EQ(fault.kind, Fault::Kind::exhausted);
    EXPECT_EQ(fault.error, c.error);
    EXPECT_NE(fault.message.find(c.limit), std::string::npos) << fault.message;
    EXPECT_NE(fault.message.find(c.remedy), std::string::npos) << fault.message;
    EXPECT_NE(fault.message.find("12345 bytes"), std::string::npos) << fault.message;
  }
  EXPECT_EQ(describe_failure(Step::seal, EPERM, 1).kind, Fault::Kind::system);
}

}  // namespace
}  // namespace weft::memory
