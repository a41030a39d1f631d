// CPUs and memory that the control groups allow, read from made-up /proc and /sys.

#include <gtest/gtest.h>
#include <sched.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "process/cgroup.hpp"
#include "process/cpus.hpp"
#include "process/memory_headroom.hpp"

namespace weft::process {

namespace {

constexpr const char* kUnifiedMount =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw\n";

/// A root directory with what a test writes into it.
class MadeUpRoot : public ::testing::Test {
 protected:
  MadeUpRoot() {
    std::string pattern = (std::filesystem::temp_directory_path() / "weft_cgroup_XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  ~MadeUpRoot() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream{file} << text;
  }
  void be_in(const std::string& cgroup_file, const std::string& mountinfo) const {
    write("/proc/self/cgroup", cgroup_file);
    write("/proc/self/mountinfo", "22 1 8:1 / / rw,relatime - ext4 /dev/root rw\n" + mountinfo);
  }
  [[nodiscard]] const std::string& root() const { return root_; }

 private:
  std::string root_;
};

class Cpus : public MadeUpRoot {};
class MemoryHeadroom : public MadeUpRoot {};

unsigned affinity_count() {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
  return static_cast<unsigned>(CPU_COUNT(&set));
}

}  // namespace

TEST_F(Cpus, follow_the_affinity_of_the_thread) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(cpus_allowed(root()), affinity_count());
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(cpus_allowed(root()), 1U);
  ASSERT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
}

TEST_F(Cpus, are_counted_on_this_machine_too) {
  EXPECT_GE(cpus_allowed(), 1U);
  EXPECT_LE(cpus_allowed(), affinity_count());
}

TEST_F(Cpus, have_no_quota_where_there_are_no_cgroups) {
  EXPECT_FALSE(cpu_quota_thousandths(root()));
  EXPECT_EQ(cpus_allowed(root()), affinity_count());
}

TEST_F(Cpus, obey_the_quota_of_the_own_group) {
  be_in("0::/app.slice/weft\n", kUnifiedMount);
  write("/sys/fs/cgroup/app.slice/weft/cpu.max", "150000 100000\n");
  EXPECT_EQ(cpu_quota_thousandths(root()), 1500U);
  EXPECT_EQ(cpus_allowed(root()), 1U) << "rounded down";
}

TEST_F(Cpus, obey_the_least_quota_of_all_ancestors) {
  be_in("0::/a/b/c\n", kUnifiedMount);
  write("/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
  write("/sys/fs/cgroup/a/b/cpu.max", "90000 30000\n");
  write("/sys/fs/cgroup/a/cpu.max", "800000 100000\n");
  EXPECT_EQ(cpu_quota_thousandths(root()), 3000U);
}

TEST_F(Cpus, are_at_least_one) {
  be_in("0::/\n", kUnifiedMount);
  write("/sys/fs/cgroup/cpu.max", "1000 100000\n");
  EXPECT_EQ(cpu_quota_thousandths(root()), 10U);
  EXPECT_EQ(cpus_allowed(root()), 1U);
}

TEST_F(Cpus, have_no_quota_when_it_is_max) {
  be_in("0::/a\n", kUnifiedMount);
  write("/sys/fs/cgroup/a/cpu.max", "max 100000\n");
  EXPECT_FALSE(cpu_quota_thousandths(root()));
}

TEST_F(Cpus, obey_a_quota_of_the_first_version) {
  be_in("5:memory:/\n4:cpu,cpuacct:/docker/abc\n0::/\n",
        "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
  write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n");
  write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpu_quota_thousandths(root()), 2000U);
  write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  EXPECT_FALSE(cpu_quota_thousandths(root()));
}

TEST_F(Cpus, look_at_both_versions_when_both_are_mounted) {
  be_in("1:cpu:/x\n0::/y\n",
        "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw shared:9 master:2 - cgroup2 cgroup2 rw\n");
  write("/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "400000\n");
  write("/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n");
  write("/sys/fs/cgroup/unified/y/cpu.max", "300000 100000\n");
  EXPECT_EQ(cpu_quota_thousandths(root()), 3000U);
}

TEST_F(Cpus, understand_escaped_mount_points) {
  be_in("0::/a\n", "31 23 0:28 / /sys/fs/c\\040group rw - cgroup2 cgroup2 rw\n");
  write("/sys/fs/c group/a/cpu.max", "200000 100000\n");
  EXPECT_EQ(cpu_quota_thousandths(root()), 2000U);
}

TEST_F(Cpus, look_at_the_mount_point_alone_from_a_group_outside_of_it) {
  be_in("0::/../other\n", kUnifiedMount);
  write("/sys/fs/cgroup/cpu.max", "200000 100000\n");
  write("/sys/fs/other/cpu.max", "100000 100000\n");
  EXPECT_EQ(cpu_quota_thousandths(root()), 2000U);
}

TEST_F(Cpus, take_nonsense_for_no_quota) {
  be_in("0::/a\nnonsense\n:\n", std::string{kUnifiedMount} + "nonsense\n - \n1 2 3 - x\n");
  for (const char* const text :
       {"", "x", "100000", "100000 ", "100000 0\n", "99999999999999999999999 1\n", "-1 1\n"}) {
    write("/sys/fs/cgroup/a/cpu.max", text);
    EXPECT_FALSE(cpu_quota_thousandths(root())) << text;
  }
}

TEST_F(MemoryHeadroom, is_unlimited_where_there_are_no_cgroups) {
  EXPECT_FALSE(memory_headroom_bytes(root()));
}

TEST_F(MemoryHeadroom, is_the_least_of_all_levels) {
  be_in("0::/a/b\n", kUnifiedMount);
  write("/sys/fs/cgroup/a/b/memory.max", "max\n");
  write("/sys/fs/cgroup/a/b/memory.current", "5000\n");
  write("/sys/fs/cgroup/a/memory.max", "10000\n");
  write("/sys/fs/cgroup/a/memory.current", "6000\n");
  write("/sys/fs/cgroup/memory.max", "100000\n");
  write("/sys/fs/cgroup/memory.current", "7000\n");
  EXPECT_EQ(memory_headroom_bytes(root()), 4000U);
}

TEST_F(MemoryHeadroom, counts_file_cache_as_free_but_not_shared_memory) {
  be_in("0::/a\n", kUnifiedMount);
  write("/sys/fs/cgroup/a/memory.max", "10000\n");
  write("/sys/fs/cgroup/a/memory.current", "10000\n");
  write("/sys/fs/cgroup/a/memory.stat",
        "anon 100\nfile 7000\nshmem 4000\ninactive_file 2000\nactive_file 1000\n");
  EXPECT_EQ(memory_headroom_bytes(root()), 3000U);
}

TEST_F(MemoryHeadroom, is_nothing_when_the_group_is_over_its_limit) {
  be_in("0::/a\n", kUnifiedMount);
  write("/sys/fs/cgroup/a/memory.max", "10000\n");
  write("/sys/fs/cgroup/a/memory.current", "12000\n");
  EXPECT_EQ(memory_headroom_bytes(root()), 0U);
}

TEST_F(MemoryHeadroom, obeys_limits_of_the_first_version) {
  be_in("4:memory:/x\n", "36 31 0:33 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "100\n");
  EXPECT_FALSE(memory_headroom_bytes(root())) << "the first version's way to say that there is no limit";
  write("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "1000\n");
  write("/sys/fs/cgroup/memory/x/memory.usage_in_bytes", "900\n");
  write("/sys/fs/cgroup/memory/x/memory.stat",
        "inactive_file 1\ntotal_inactive_file 40\ntotal_active_file 10\n");
  EXPECT_EQ(memory_headroom_bytes(root()), 150U);
}

TEST(Cgroups, are_the_own_group_and_its_ancestors_up_to_the_mount_point) {
  EXPECT_TRUE(cgroups_of("cpu", "/nowhere").empty());
  EXPECT_FALSE(read_small_file("/nowhere"));
  EXPECT_EQ(leading_number("12 34"), 12U);
  EXPECT_FALSE(leading_number("max"));
}

}  // namespace weft::process
