// What the tasks of one worker keep for each other.

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

weft::Deadline now_;  // NOLINT: a clock that the tests set
weft::Deadline told() { return now_; }

/// Counts how many of its kind are alive.
struct Counted {
  explicit Counted(int& count) : alive{&count} { ++*alive; }
  Counted(Counted&& other) noexcept : alive{std::exchange(other.alive, nullptr)} {}
  Counted& operator=(Counted&&) = delete;
  ~Counted() {
    if (alive != nullptr) --*alive;
  }
  int* alive;
};

std::string refusal(weft::WorkerStore& store, const char* key) {
  try {
    static_cast<void>(store.get<double>(key));
  } catch (const weft::ArgumentError& error) {
    return error.what();
  }
  return {};
}

TEST(Store, keeps_values_of_any_type_by_key) {
  weft::WorkerStore store;
  EXPECT_EQ(store.get<int>("a"), nullptr);
  EXPECT_EQ(*store.set("a", 1), 1);
  store.set("b", std::string{"text"});
  store.set("c", std::make_unique<int>(3));  // need not be copied
  *store.get<int>("a") += 10;
  EXPECT_EQ(*store.get<int>("a"), 11);
  EXPECT_EQ(*store.get<std::string>("b"), "text");
  EXPECT_EQ(**store.get<std::unique_ptr<int>>("c"), 3);
  store.set("a", 2.5);  // another type in its place
  EXPECT_EQ(*store.get<double>("a"), 2.5);
  EXPECT_TRUE(store.erase("a"));
  EXPECT_FALSE(store.erase("a"));
  EXPECT_EQ(store.get<double>("a"), nullptr);
  store.clear();
  EXPECT_EQ(store.size(), 0U);
}

TEST(Store, refuses_the_wrong_type_and_names_both) {
  weft::WorkerStore store;
  store.set("a", std::vector<int>{1});
  const std::string words = refusal(store, "a");
  EXPECT_NE(words.find("vector<int>"), std::string::npos) << words;
  EXPECT_NE(words.find("double"), std::string::npos) << words;
  EXPECT_NE(words.find("\"a\""), std::string::npos) << words;
  EXPECT_THROW(static_cast<void>(store.get_or<int>("a", [] { return 1; })), weft::ArgumentError);
  EXPECT_EQ(store.get<std::vector<int>>("a")->size(), 1U);
}

TEST(Store, lets_a_value_go_when_its_time_is_over) {
  int alive = 0;
  weft::WorkerStore store{&told};
  store.set("a", Counted{alive}, 10s);
  store.set("b", Counted{alive});
  now_ += 10s - 1ns;
  EXPECT_NE(store.get<Counted>("a"), nullptr);
  now_ += 1ns;
  EXPECT_EQ(alive, 2);
  EXPECT_FALSE(store.erase("a"));
  EXPECT_EQ(alive, 1);
  store.set("a", Counted{alive}, 10s);
  now_ += 5s;
  store.set("a", Counted{alive}, 10s);  // counts anew
  now_ += 5s;
  EXPECT_NE(store.get<Counted>("a"), nullptr);
  now_ += 5s;
  EXPECT_EQ(store.get<int>("a"), nullptr);  // gone, of whatever type it was
  EXPECT_EQ(alive, 1);
  now_ += std::chrono::years{100};
  EXPECT_NE(store.get<Counted>("b"), nullptr);
}

TEST(Store, refuses_a_time_to_live_that_is_none) {
  weft::WorkerStore store;
  EXPECT_THROW(store.set("a", 1, 0s), weft::ArgumentError);
  EXPECT_THROW(static_cast<void>(store.get_or<int>(
                   "a", [] { return 1; }, -1s)),
               weft::ArgumentError);
  EXPECT_EQ(store.size(), 0U);
}

TEST(Store, keeps_nothing_for_keys_that_nobody_asks_for_any_more) {
  int alive = 0;
  weft::WorkerStore store{&told};
  for (int i = 0; i < 10'000; ++i) {
    store.set(std::to_string(i), Counted{alive}, 10s);
    now_ += 1s;
    ASSERT_LE(alive, 32);
  }
  EXPECT_EQ(store.size(), static_cast<std::size_t>(alive));
}

TEST(Store, shares_a_value_with_who_uses_it) {
  int alive = 0;
  weft::WorkerStore store{&told};
  auto used = store.set("a", Counted{alive}, 1s);
  now_ += 1s;
  EXPECT_EQ(store.get<Counted>("a"), nullptr);
  EXPECT_EQ(alive, 1);
  used.reset();
  EXPECT_EQ(alive, 0);
}

TEST(Store, makes_what_is_not_there_once) {
  weft::WorkerStore store{&told};
  int made = 0;
  const auto make = [&] { return ++made; };
  EXPECT_EQ(*store.get_or<int>("a", make, 1s), 1);
  EXPECT_EQ(*store.get_or<int>("a", make, 1s), 1);
  now_ += 1s;
  EXPECT_EQ(*store.get_or<int>("a", make), 2);
  EXPECT_THROW(static_cast<void>(store.get_or<int>("b", []() -> int { throw std::runtime_error{"no"}; })),
               std::runtime_error);
  EXPECT_EQ(store.get<int>("b"), nullptr);
  // Who is first while another makes it: that value stands.
  EXPECT_EQ(*store.get_or<int>("c", [&] { return *store.set("c", 7) + 1; }), 7);
}

/// When it goes, it uses the store that it was in.
struct Farewell {
  explicit Farewell(weft::WorkerStore& store) : in{&store} {}
  Farewell(Farewell&& other) noexcept : in{std::exchange(other.in, nullptr)} {}
  Farewell& operator=(Farewell&&) = delete;
  ~Farewell() {
    if (in != nullptr) in->set("last words", 1);
  }
  weft::WorkerStore* in;
};

TEST(Store, may_be_used_by_the_destructors_of_its_values) {
  weft::WorkerStore store{&told};
  for (int how = 0; how < 4; ++how) {
    store.set("a", Farewell{store}, 1s);
    if (how == 0) store.erase("a");
    if (how == 1) store.clear();
    if (how == 2) store.set("a", 1);
    if (how == 3) {
      now_ += 1s;
      EXPECT_EQ(store.get<Farewell>("a"), nullptr);
    }
    EXPECT_NE(store.get<int>("last words"), nullptr) << how;
    store.clear();
  }
}

/// How many tasks this worker has run, itself included, and which worker it is.
std::pair<std::uint64_t, int> count(weft::TaskScope& scope) {
  const auto runs = scope.store().get_or<int>("runs", [] { return 0; });
  return {scope.worker_id(), ++*runs};
}

TEST(Store, is_of_one_worker_and_lasts_from_task_to_task) {
  weft::Pool pool{{.limit = 2}};
  weft::Lease first = pool.lease();
  weft::Lease second = pool.lease();
  std::map<std::uint64_t, int> last;
  for (int i = 0; i < 3; ++i) {
    const auto [worker, runs] = first.submit<count>().get();
    last[worker] = runs;
  }
  const auto [worker, runs] = second.submit<count>().get();
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(last.size(), 1U);
  EXPECT_FALSE(last.contains(worker));
  EXPECT_EQ(last.begin()->second, 3);
}

TEST(Store, is_empty_in_the_worker_that_comes_after) {
  weft::Pool pool{{.limit = 1}};
  EXPECT_EQ(pool.submit<count>().get().second, 1);
  EXPECT_EQ(pool.submit<count>().get().second, 2);
  pool.restart();
  EXPECT_EQ(pool.submit<count>().get().second, 1);
}

void prepare(weft::TaskScope& scope) { scope.store().set("word", std::string{"prepared"}); }

TEST(Store, is_there_for_the_initializer) {
  weft::Pool pool{{.limit = 1, .worker = {.initializer = weft::initializer<prepare>}}};
  EXPECT_EQ(pool.submit([](weft::TaskScope& scope) { return *scope.store().get<std::string>("word"); }).get(),
            "prepared");
}

TEST(Store, of_a_zygote_is_what_each_copy_begins_with) {
  weft::Pool pool{
      {.limit = 1, .worker = {.kind = weft::WorkerKind::zygote, .initializer = weft::initializer<prepare>}}};
  for (int worker = 0; worker < 2; ++worker) {
    EXPECT_EQ(pool.submit([](weft::TaskScope& scope) {
                    return std::exchange(*scope.store().get<std::string>("word"), "used up");
                  })
                  .get(),
              "prepared");
    pool.restart();
  }
}

TEST(Store, of_tasks_on_the_callers_threads_is_their_pools) {
  weft::PoolOptions options{.worker = {.kind = weft::WorkerKind::caller}};
  weft::Pool one{options};
  weft::Pool other{options};
  EXPECT_EQ(one.submit<count>().get().second, 1);
  EXPECT_EQ(one.submit<count>().get().second, 2);
  EXPECT_EQ(other.submit<count>().get().second, 1);
}

TEST(Store, fails_the_task_that_asks_for_the_wrong_type) {
  weft::Pool pool{{.limit = 1, .worker = {.initializer = weft::initializer<prepare>}}};
  auto execution = pool.submit([](weft::TaskScope& scope) { return *scope.store().get<int>("word"); });
  try {
    execution.get();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const weft::TaskException& error) {
    EXPECT_EQ(error.type(), "weft::ArgumentError");
  }
  EXPECT_EQ(pool.status().workers_lost, 0U);
}

/// Leaves a file behind when it goes.
struct Mark {
  explicit Mark(std::string name) : path{std::move(name)} {}
  Mark(Mark&& other) noexcept : path{std::exchange(other.path, {})} {}
  Mark& operator=(Mark&&) = delete;
  ~Mark() {
    if (path.empty()) return;
    if (std::FILE* const file = std::fopen(path.c_str(), "w")) std::fclose(file);
  }
  std::string path;
};

TEST(Store, is_destroyed_when_its_worker_leaves_in_good_order) {
  const std::string path =
      std::filesystem::temp_directory_path() / ("weft_store_" + std::to_string(::getpid()));
  std::filesystem::remove(path);
  weft::Pool pool{{.limit = 1}};
  pool.submit([](weft::TaskScope& scope, const std::string& name) { scope.store().set("mark", Mark{name}); },
              path)
      .get();
  EXPECT_FALSE(std::filesystem::exists(path));
  pool.shutdown();
  EXPECT_TRUE(std::filesystem::exists(path));
  std::filesystem::remove(path);
}

}  // namespace
