// A value that a program and its workers share.

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <boost/fiber/fiber.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "contract/shared_tasks.hpp"

namespace weft::contract {
namespace {

using namespace std::chrono_literals;

void add_one(Parcel<long> parcel, int times) {
  for (int i = 0; i < times; ++i) parcel.synchronized([](long& sum) { ++sum; });
}

TEST(Parcel, counts_right_while_four_workers_and_the_program_change_it) {
  Pool pool{{.limit = 4}};
  Parcel<long> sum;
  std::vector<Execution<void>> all;
  for (int worker = 0; worker < 4; ++worker) all.push_back(pool.submit<add_one>(sum, 1000));
  add_one(sum, 1000);
  for (auto& each : all) each.get();
  EXPECT_EQ(sum.unwrap(), 5000);
}

void count_words(weft::Parcel<std::map<std::string, int>> counts, std::vector<std::string> words) {
  for (const std::string& word : words) counts.synchronized([&](auto& all) { ++all[word]; });
}

TEST(Parcel, stands_as_in_the_readme) {
  weft::Pool pool{{.limit = 2}};
  weft::Parcel<std::map<std::string, int>> counts;
  auto some = pool.submit<count_words>(counts, std::vector<std::string>{"warp", "weft"});
  auto others = pool.submit<count_words>(counts, std::vector<std::string>{"weft"});
  some.get();
  others.get();
  const auto all = counts.unwrap();  // {"warp": 1, "weft": 2}
  EXPECT_EQ(all, (std::map<std::string, int>{{"warp", 1}, {"weft", 2}}));
}

TEST(Parcel, grows_from_nothing_to_ten_megabytes) {
  std::array<Worker, 2> workers;
  Parcel<std::vector<int>> parcel;
  std::size_t size = 0;
  for (int round = 0; size < 2'500'000; ++round) {
    size = size * 3 + 100;
    const std::size_t was = workers[static_cast<std::size_t>(round % 2)]
                                .submit(
                                    [](Parcel<std::vector<int>> its, std::size_t now) {
                                      return its.synchronized([&](std::vector<int>& all) {
                                        const std::size_t before = all.size();
                                        while (all.size() < now) all.push_back(static_cast<int>(all.size()));
                                        return before;
                                      });
                                    },
                                    parcel, size)
                                .get();
    EXPECT_LT(was, size);
  }
  const std::vector<int> all = parcel.unwrap();
  ASSERT_EQ(all.size(), size);
  for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(all[i], static_cast<int>(i));
  EXPECT_EQ(workers[0].submit([](Parcel<std::vector<int>> its) { return its.unwrap().size(); }, parcel).get(),
            size);
  parcel.synchronized([](std::vector<int>& those) { those.clear(); });
  EXPECT_EQ(workers[1].submit([](Parcel<std::vector<int>> its) { return its.unwrap().size(); }, parcel).get(),
            0U);
}

struct Page {
  std::string title;
  Buffer body;
};

TEST(Parcel, keeps_buffers_though_the_worker_that_made_them_is_gone) {
  Parcel<std::vector<Page>> pages;
  {
    Worker worker;
    worker
        .submit(
            [](Parcel<std::vector<Page>> its) {
              its.synchronized([](std::vector<Page>& all) {
                all.push_back({"one", Buffer::copy_of(std::string(100'000, '1'))});
                all.push_back({"none", {}});
              });
            },
            pages)
        .get();
  }
  Worker other;
  EXPECT_EQ(other
                .submit(
                    [](Parcel<std::vector<Page>> its) {
                      const auto all = its.unwrap();
                      return std::string{all.at(0).body.text()} + all.at(1).title;
                    },
                    pages)
                .get(),
            std::string(100'000, '1') + "none");
}

TEST(Parcel, stays_as_it_was_where_changing_it_fails) {
  Worker worker;
  Parcel<std::string> parcel{"before"};
  const auto fail = [](Parcel<std::string> its) {
    its.synchronized([](std::string& text) {
      text = "after";
      throw std::out_of_range{"no"};
    });
  };
  EXPECT_THROW(fail(parcel), std::out_of_range);
  EXPECT_THROW(worker.submit(fail, parcel).get(), std::out_of_range);
  EXPECT_EQ(parcel.unwrap(), "before");
  EXPECT_EQ(parcel.synchronized([](std::string& text) { return text.size(); }), 6U) << "nobody has it";
  EXPECT_FALSE(parcel.was_abandoned());
}

TEST(Parcel, is_read_while_somebody_changes_it) {
  Worker worker;
  Parcel<int> parcel{1};
  parcel.synchronized([&](int& value) {
    value = 2;
    EXPECT_EQ(worker.submit<look_at>(parcel).get(), 1);
  });
  EXPECT_EQ(worker.submit<look_at>(parcel).get(), 2);
}

TEST(Parcel, is_read_by_so_many_at_once_that_their_answers_do_not_fit_the_ring) {
  Worker worker;
  Parcel<std::string> parcel{std::string(1000, 'p')};
  const std::size_t bytes =
      worker
          .submit(
              [](Parcel<std::string> its) {
                std::size_t sum = 0;
                std::vector<boost::fibers::fiber> fibers;
                for (int i = 0; i < 1000; ++i) {
                  fibers.emplace_back(boost::fibers::launch::dispatch, [&] { sum += its.unwrap().size(); });
                }
                for (auto& each : fibers) each.join();
                return sum;
              },
              parcel)
          .get();
  EXPECT_EQ(bytes, 1'000'000U);
}

TEST(Parcel, of_more_buffers_than_travel_at_once_is_refused) {
  std::vector<Buffer> many(300, Buffer::copy_of("b"));
  EXPECT_THROW(Parcel<std::vector<Buffer>>{many}, EncodingError);
  Parcel<std::vector<Buffer>> parcel;
  EXPECT_THROW(parcel.synchronized([&](auto& all) { all = many; }), EncodingError);
  EXPECT_TRUE(parcel.synchronized([](auto& all) { return all.empty(); }));
}

/// What each thread of a process has used of the processor, and how often it has run: it stands still for one that made
/// no system call.
std::map<std::string, std::string> usage_of(std::int64_t pid) {
  std::map<std::string, std::string> usage;
  for (const auto& task : std::filesystem::directory_iterator{"/proc/" + std::to_string(pid) + "/task"}) {
    if (task.path().filename() == std::to_string(::getpid())) continue;  // this thread
    std::ifstream status{task.path() / "status"};
    for (std::string line; std::getline(status, line);) {
      if (line.find("ctxt_switches") != std::string::npos) usage[task.path()] += line + ", ";
    }
  }
  return usage;
}

TEST(SharedWait, runs_no_thread_of_the_worker_or_of_the_home) {
  Worker worker;
  shared::Mutex mutex;
  std::unique_lock lock{mutex};
  shared::Barrier met{2};
  auto waiting = worker.submit<will_it_be_abandoned>(mutex, met);
  met.arrive_and_wait();
  const auto usage = [&] { return std::pair{usage_of(worker.pid()), usage_of(::getpid())}; };
  auto before = usage();
  for (;;) {  // a moment, until all have gone to sleep
    std::this_thread::sleep_for(200ms);
    auto after = usage();
    if (after == before) break;
    before = std::move(after);
  }
  std::this_thread::sleep_for(2s);
  EXPECT_EQ(usage(), before);
  lock.unlock();
  EXPECT_FALSE(waiting.get());
}

}  // namespace
}  // namespace weft::contract
