#include "work/trace_events.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace weft::work {
namespace {

nlohmann::json array_of(const std::string& elements) {
  return nlohmann::json::parse("[" + elements.substr(1) + "]");
}

TEST(TraceEvents, show_what_had_to_be_left_out) {
  TraceEvents events;
  std::string text;
  const std::chrono::duration<double, std::micro> before =
      std::chrono::steady_clock::now().time_since_epoch();
  events.append_loss(text, 12);
  const nlohmann::json all = array_of(text);
  ASSERT_EQ(all.size(), 1U);
  // Viewers show nothing of metadata that they do not know.
  EXPECT_EQ(all[0].at("ph"), "i");
  EXPECT_EQ(all[0].at("s"), "g");
  EXPECT_NE(all[0].at("name").get<std::string>().find("12 events"), std::string::npos);
  EXPECT_GE(all[0].at("ts").get<double>(), before.count() - 1);
}

TEST(TraceEvents, of_a_worker_are_its_names_its_start_and_its_end) {
  TraceEvents events;
  std::string text;
  WorkerEvent worker;
  worker.pool = 1;
  worker.owner = "pool";
  worker.worker = 3;
  worker.pid = 77;
  using What = TraceRecord::What;
  events.append(text, TraceRecord{What::worker_started, worker});
  events.append(text, TraceRecord{What::worker_ready, worker});
  worker.reason = "said \"no\"\n";
  events.append(text, TraceRecord{What::worker_ended, worker});
  const nlohmann::json all = array_of(text);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0].at("name"), "process_name");
  EXPECT_EQ(all[1].at("name"), "thread_name");
  EXPECT_EQ(all[1].at("args").at("name"), "worker 3 of pool 1");
  EXPECT_EQ(all[2].at("name"), "start");
  EXPECT_EQ(all[3].at("args").at("reason"), "said \"no\"\n");
  EXPECT_FALSE(all[0].contains("cat"));
  for (const std::size_t i : {2U, 3U}) EXPECT_EQ(all[i].at("cat"), "worker");
}

}  // namespace
}  // namespace weft::work
