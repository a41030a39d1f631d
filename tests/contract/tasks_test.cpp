// What can be submitted, and that it comes back as it went.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <variant>
#include <vector>
#include <weft/weft.hpp>

namespace {

std::uint64_t twice(std::uint64_t number) { return 2 * number; }
std::string greet(const std::string& name) { return "hello " + name; }
std::size_t length_of(std::string_view text) { return text.size(); }
void nothing() {}
std::uint64_t worker_number(weft::TaskScope& scope, int) { return scope.worker_id(); }
std::map<std::string, std::vector<int>> grouped(const std::vector<std::pair<std::string, int>>& pairs) {
  std::map<std::string, std::vector<int>> groups;
  for (const auto& [key, value] : pairs) groups[key].push_back(value);
  return groups;
}

struct Join {
  std::vector<std::string> parts;
  std::string separator = ", ";
  std::string run() const {
    std::string joined;
    for (const std::string& part : parts) joined += (joined.empty() ? "" : separator) + part;
    return joined;
  }
};

struct Scoped {
  int factor = 2;
  std::uint64_t run(weft::TaskScope& scope) const {
    return scope.worker_id() * static_cast<std::uint64_t>(factor);
  }
};

struct Picture {
  std::string name;
  weft::Buffer pixels;
  int width = 0;
};
Picture mirrored(const Picture& picture) {
  weft::Buffer pixels{picture.pixels.size()};
  std::reverse_copy(picture.pixels.bytes().begin(), picture.pixels.bytes().end(), pixels.writable().begin());
  return {picture.name + "'", pixels, picture.width};
}

int named_sum(const std::vector<int>& numbers) { return std::accumulate(numbers.begin(), numbers.end(), 0); }
WEFT_TASK(named_sum, named_sum);

class Tasks : public testing::Test {
 protected:
  weft::Pool pool{{.limit = 1}};
};

TEST_F(Tasks, are_functions) {
  EXPECT_EQ(pool.submit<twice>(21).get(), 42U);
  EXPECT_EQ(pool.submit<greet>("weft").get(), "hello weft");
  EXPECT_EQ(pool.submit<length_of>(std::string(100, 'x')).get(), 100U);
  pool.submit<nothing>().get();
}

TEST_F(Tasks, are_lambdas_with_captures_of_values) {
  int factor = 3;
  double offset = 0.5;
  EXPECT_EQ(pool.submit([factor, offset](int x) { return factor * x + offset; }, 14).get(), 42.5);
  EXPECT_EQ(pool.submit([] { return std::string{"no captures"}; }).get(), "no captures");
  EXPECT_EQ(
      pool.submit([factor](const std::string& text) { return text + std::to_string(factor); }, "x").get(),
      "x3");
}

TEST_F(Tasks, are_aggregates_with_run) {
  EXPECT_EQ(pool.submit(Join{{"a", "b", "c"}, "-"}).get(), "a-b-c");
  EXPECT_EQ(pool.submit(Scoped{5}).get(), 5U);
}

TEST_F(Tasks, know_the_worker_that_runs_them) { EXPECT_EQ(pool.submit<worker_number>(0).get(), 1U); }

TEST_F(Tasks, take_and_return_containers) {
  const std::vector<std::pair<std::string, int>> pairs{{"a", 1}, {"b", 2}, {"a", 3}};
  const std::map<std::string, std::vector<int>> groups{{"a", {1, 3}}, {"b", {2}}};
  EXPECT_EQ(pool.submit<grouped>(pairs).get(), groups);
}

TEST_F(Tasks, are_found_by_name) {
  EXPECT_EQ(pool.submit(weft::named<int(std::vector<int>)>("named_sum"), std::vector<int>{1, 2, 3}).get(), 6);
}

TEST_F(Tasks, of_unknown_names_are_refused_with_the_name) {
  auto execution = pool.submit(weft::named<int(int)>("nobody"), 1);
  try {
    execution.get();
    FAIL() << "an unknown task gave a value";
  } catch (const weft::UnknownTask& error) {
    EXPECT_NE(std::string{error.what()}.find("nobody"), std::string::npos) << error.what();
  }
  EXPECT_EQ(pool.submit<twice>(1).get(), 2U) << "the worker goes on";
}

TEST_F(Tasks, with_another_signature_than_registered_are_unknown) {
  EXPECT_THROW(pool.submit(weft::named<int(std::string)>("named_sum"), "1").get(), weft::UnknownTask);
}

TEST_F(Tasks, carry_payloads_of_every_size_around_each_limit) {
  for (const std::size_t size : std::initializer_list<std::size_t>{
           0, 1, 23, 24, 25, 63, 64, 65, 1000, 1023, 1024, 1025, 4096, 100'000, 1 << 20, 30 << 20}) {
    const std::string text(size, 'w');
    EXPECT_EQ(pool.submit<greet>(text).get(), "hello " + text) << size;
    const std::vector<std::pair<std::string, int>> pairs{{text, 1}};
    EXPECT_EQ(pool.submit<grouped>(pairs).get().begin()->first, text) << size;
  }
}

TEST_F(Tasks, whose_value_is_taken_at_once_leave_nothing_to_ask_for) {
  auto with_short_value = pool.submit<twice>(21);
  EXPECT_EQ(std::move(with_short_value).get(), 42U);
  EXPECT_FALSE(with_short_value.valid());
  auto settled = pool.submit<twice>(22);
  settled.wait();
  EXPECT_EQ(std::move(settled).get(), 44U);
  EXPECT_FALSE(settled.valid());
  auto with_long_value = pool.submit<greet>(std::string(1000, 'x'));
  EXPECT_EQ(std::move(with_long_value).get().size(), 1006U);
  EXPECT_FALSE(with_long_value.valid());
}

TEST_F(Tasks, have_values_of_any_length_taken_at_once) {
  for (std::size_t size = 0; size <= 300; ++size) {
    const std::string text(size, static_cast<char>('a' + size % 26));
    ASSERT_EQ(pool.submit([](std::string some) { return some; }, text).get(), text);
  }
  const weft::PoolStatus status = pool.status();
  EXPECT_EQ(status.finished, 301U);
  EXPECT_EQ(status.running, 0U);
  EXPECT_EQ(status.workers_idle, 1U);
}

TEST_F(Tasks, give_the_same_value_each_time_they_are_asked) {
  auto inline_value = pool.submit<twice>(4);
  auto block_value = pool.submit<greet>(std::string(50'000, 'x'));
  EXPECT_EQ(inline_value.get(), inline_value.get());
  EXPECT_EQ(block_value.get(), block_value.get());
}

TEST_F(Tasks, hand_buffers_over_and_back_without_a_copy) {
  const weft::Buffer buffer = weft::Buffer::copy_of("some bytes");
  const weft::Buffer back = pool.submit([](weft::Buffer bytes) { return bytes; }, buffer).get();
  EXPECT_EQ(back.data(), buffer.data());
  const weft::Buffer part = pool.submit([](weft::Buffer bytes) { return bytes.slice(5, 5); }, buffer).get();
  EXPECT_EQ(part.data(), buffer.data() + 5);
  EXPECT_EQ(part.text(), "bytes");
}

TEST_F(Tasks, return_buffers_that_they_made) {
  auto made = pool.submit(
                      [](std::size_t size) {
                        weft::Buffer buffer{size};
                        std::memset(buffer.writable().data(), 'm', size);
                        return buffer;
                      },
                      std::size_t{3} << 20)
                  .get();
  ASSERT_EQ(made.size(), std::size_t{3} << 20);
  EXPECT_EQ(made.text().find_first_not_of('m'), std::string_view::npos);
}

TEST_F(Tasks, carry_buffers_inside_other_values) {
  const Picture picture{"cat", weft::Buffer::copy_of("abc"), 3};
  const Picture mirror = pool.submit<mirrored>(picture).get();
  EXPECT_EQ(mirror.name, "cat'");
  EXPECT_EQ(mirror.pixels.text(), "cba");
  EXPECT_EQ(mirror.width, 3);
}

TEST_F(Tasks, carry_empty_buffers) {
  EXPECT_EQ(pool.submit([](weft::Buffer none) { return none.size(); }, weft::Buffer{}).get(), 0U);
  EXPECT_TRUE(pool.submit([] { return weft::Buffer{}; }).get().empty());
}

TEST_F(Tasks, reuse_the_memory_of_buffers_that_nobody_reads_any_more) {
  for (int i = 0; i < 2000; ++i) {
    weft::Buffer buffer{1 << 20};
    buffer.writable().front() = static_cast<std::byte>(i);
    const auto back = pool.submit([](weft::Buffer bytes) { return bytes; }, std::move(buffer)).get();
    ASSERT_EQ(back.bytes().front(), static_cast<std::byte>(i));
  }
}

TEST_F(Tasks, keep_the_buffers_of_a_pool_that_is_gone) {
  weft::Buffer kept;
  {
    weft::Pool other{{.limit = 1}};
    kept = other.submit([] { return weft::Buffer::copy_of("still here"); }).get();
  }
  EXPECT_EQ(kept.text(), "still here");
}

TEST_F(Tasks, pass_buffers_from_one_worker_to_another) {
  weft::Pool other{{.limit = 1}};
  const weft::Buffer made = pool.submit([] { return weft::Buffer::copy_of("from the first"); }).get();
  EXPECT_EQ(other.submit([](weft::Buffer bytes) { return std::string{bytes.text()}; }, made).get(),
            "from the first");
}

}  // namespace
