// What a TraceFile writes, read back.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "contract/gate.hpp"
#include "contract/kinds.hpp"
#include "contract/role.hpp"

namespace weft::contract {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;
namespace fs = std::filesystem;

int tripled(int x) { return 3 * x; }
void throws_words() { throw std::runtime_error{"not \"this\"\n\xff time"}; }
void dies() { ::raise(SIGKILL); }
int waits_a_little() {
  sleep_for(5ms);
  return 1;
}
/// With a pool of its own.
int asks_another(int x) {
  Pool pool{{.limit = 1}};
  const int value = pool.submit<tripled>(x).get();
  pool.shutdown();
  return value;
}

class Folder {
 public:
  Folder() : path_{testing::TempDir() + "weft-trace-" + std::to_string(::getpid())} {
    fs::remove_all(path_);
    fs::create_directory(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream{path}.rdbuf();
  return text.str();
}

/// A trace as a viewer reads it. What every trace keeps to is checked here.
class Trace {
 public:
  explicit Trace(const std::string& path) : events_(Json::parse(text_of(path))) {
    for (const Json& event : events_) {
      const std::string phase = event.at("ph");
      const auto track = std::pair{event.at("pid").get<std::int64_t>(), event.at("tid").get<std::int64_t>()};
      if (phase == "X") slices_[track].push_back(event);
      if (phase == "s" || phase == "t" || phase == "f") flows_[event.at("id")][phase].push_back(event);
      if (phase == "M" && event.at("name") == "thread_name") names_[track] = event.at("args").at("name");
    }
    check_tracks();
  }

  /// The tracks whose names begin so.
  [[nodiscard]] std::vector<std::pair<std::int64_t, std::int64_t>> tracks(const std::string& prefix) const {
    std::vector<std::pair<std::int64_t, std::int64_t>> found;
    for (const auto& [track, name] : names_) {
      if (name.starts_with(prefix)) found.push_back(track);
    }
    return found;
  }
  [[nodiscard]] std::vector<Json> slices(const std::string& part) const {
    std::vector<Json> found;
    for (const auto& [track, slices] : slices_) {
      for (const Json& slice : slices) {
        if (slice.at("name").get<std::string>().find(part) != std::string::npos) found.push_back(slice);
      }
    }
    return found;
  }
  /// Of each task that ran: an arrow from a submission to the run to the result, each at a slice of that task.
  [[nodiscard]] std::size_t whole_flows() const {
    std::size_t whole = 0;
    for (const auto& [id, ends] : flows_) {
      if (ends.size() != 3) continue;
      double last = 0;
      for (const char* const phase : {"s", "t", "f"}) {
        const std::vector<Json>& at = ends.at(phase);
        EXPECT_EQ(at.size(), 1U) << "flow " << id;
        const Json* const slice = slice_at(at.front());
        if (slice == nullptr) {
          ADD_FAILURE() << "flow " << id << " " << phase << " is at no slice";
          continue;
        }
        EXPECT_EQ(slice->at("args").at("task"), id);
        EXPECT_GE(at.front().at("ts").get<double>(), last);
        last = at.front().at("ts");
      }
      ++whole;
    }
    return whole;
  }
  [[nodiscard]] const Json& events() const { return events_; }

 private:
  using Track = std::pair<std::int64_t, std::int64_t>;

  void check_tracks() {
    for (auto& [track, slices] : slices_) {
      EXPECT_TRUE(names_.contains(track)) << "a track without a name";
      std::sort(slices.begin(), slices.end(), [](const Json& a, const Json& b) {
        return a.at("ts").get<double>() < b.at("ts").get<double>();
      });
      double free_from = 0;
      for (const Json& slice : slices) {
        EXPECT_GE(slice.at("ts").get<double>(), free_from - 0.0005) << slice << " overlaps the one before";
        free_from = slice.at("ts").get<double>() + slice.at("dur").get<double>();
      }
    }
  }
  [[nodiscard]] const Json* slice_at(const Json& flow) const {
    const auto found = slices_.find(Track{flow.at("pid"), flow.at("tid")});
    if (found == slices_.end()) return nullptr;
    // The last that begins no later: they do not overlap, and are in order.
    const double at = flow.at("ts");
    auto slice =
        std::upper_bound(found->second.begin(), found->second.end(), at,
                         [](double time, const Json& each) { return time < each.at("ts").get<double>(); });
    if (slice == found->second.begin()) return nullptr;
    --slice;
    const bool is_there = at <= slice->at("ts").get<double>() + slice->at("dur").get<double>();
    return is_there && slice->contains("args") ? &*slice : nullptr;
  }

  Json events_;
  std::map<Track, std::vector<Json>> slices_;
  std::map<Track, std::string> names_;
  std::map<std::uint64_t, std::map<std::string, std::vector<Json>>> flows_;
};

class TraceOf : public testing::TestWithParam<WorkerKind> {};

TEST_P(TraceOf, has_a_track_a_worker_and_an_arrow_a_task) {
  const Folder folder;
  constexpr int kTasks = 200;
  {
    PoolOptions options{.limit = 2, .observer = std::make_shared<TraceFile>(folder / "trace.json")};
    options.worker.kind = GetParam();
    Pool pool{options};
    std::vector<Execution<int>> executions;
    for (int i = 0; i < kTasks; ++i) executions.push_back(pool.submit<tripled>(i));
    for (auto& each : executions) each.get();
    pool.shutdown();
  }
  const Trace trace{folder / "trace.json"};
  EXPECT_EQ(trace.whole_flows(), std::size_t{kTasks});
  EXPECT_EQ(trace.slices("submit ").size(), std::size_t{kTasks});
  EXPECT_EQ(trace.slices("result of ").size(), std::size_t{kTasks});
  EXPECT_EQ(trace.tracks("submitter").size(), 1U);
  EXPECT_GE(trace.tracks("worker ").size(), 1U);
  for (const auto& [pid, tid] : trace.tracks("worker ")) {
    const bool is_process = GetParam() == WorkerKind::exec || GetParam() == WorkerKind::zygote;
    EXPECT_EQ(pid != ::getpid(), is_process);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, TraceOf, testing::ValuesIn(kAllKinds), kKindNamed);

TEST(TraceFile, gives_tasks_that_run_at_once_rows_of_their_own) {
  const Folder folder;
  {
    PoolOptions options{.limit = 1, .observer = std::make_shared<TraceFile>(folder / "trace.json")};
    options.worker.tasks_at_once = 4;
    Pool pool{options};
    std::vector<Execution<int>> executions;
    for (int i = 0; i < 8; ++i) executions.push_back(pool.submit<waits_a_little>());
    for (auto& each : executions) each.get();
    pool.shutdown();
  }
  const Trace trace{folder / "trace.json"};  // which sees to it that none overlap
  EXPECT_EQ(trace.whole_flows(), 8U);
  EXPECT_GE(trace.tracks("worker ").size(), 2U);
}

TEST(TraceFile, tells_of_failures_and_of_workers_that_died) {
  const Folder folder;
  {
    Pool pool{{.limit = 1, .observer = std::make_shared<TraceFile>(folder / "trace.json")}};
    EXPECT_THROW(pool.submit<throws_words>().get(), std::runtime_error);
    EXPECT_THROW(pool.submit<dies>().get(), WorkerCrashed);
    EXPECT_EQ(pool.submit<tripled>(1).get(), 3);
    pool.shutdown();
  }
  const Trace trace{folder / "trace.json"};
  EXPECT_EQ(trace.whole_flows(), 3U);
  const std::vector<Json> thrown = trace.slices("throws_words");
  ASSERT_EQ(thrown.size(), 3U);
  const std::vector<Json> died = trace.slices("dies");
  ASSERT_EQ(died.size(), 3U);
  const auto says = [](const std::vector<Json>& slices, const std::string& words) {
    return std::any_of(slices.begin(), slices.end(), [&](const Json& slice) {
      return slice.contains("args") && slice.at("args").value("error", "").find(words) != std::string::npos;
    });
  };
  EXPECT_TRUE(says(thrown, "std::runtime_error: not \"this\"\n\xef\xbf\xbd time"));
  EXPECT_TRUE(says(died, "weft::WorkerCrashed"));
  EXPECT_EQ(trace.tracks("worker ").size(), 2U);
  EXPECT_TRUE(std::any_of(trace.events().begin(), trace.events().end(), [](const Json& event) {
    return event.at("name") == "end" &&
           event.at("args").at("reason").get<std::string>().find("SIGKILL") != std::string::npos;
  }));
}

TEST(TraceFile, is_whole_whenever_it_has_been_flushed) {
  const Folder folder;
  const auto file = std::make_shared<TraceFile>(folder / "trace.json");
  EXPECT_EQ(Trace{folder / "trace.json"}.events().size(), 0U);
  Pool pool{{.limit = 1, .observer = file}};
  std::size_t before = 0;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(pool.submit<tripled>(i).get(), 3 * i);
    file->flush();
    const std::size_t now = Trace{folder / "trace.json"}.events().size();
    EXPECT_GT(now, before);
    before = now;
  }
}

TEST(TraceFile, serves_several_pools) {
  const Folder folder;
  {
    const auto file = std::make_shared<TraceFile>(folder / "trace.json");
    Pool one{{.limit = 1, .observer = file}};
    Pool other{{.limit = 1, .observer = file}};
    EXPECT_EQ(one.submit<tripled>(1).get(), 3);
    EXPECT_EQ(other.submit<tripled>(2).get(), 6);
    one.shutdown();
    other.shutdown();
  }
  const Trace trace{folder / "trace.json"};
  EXPECT_EQ(trace.whole_flows(), 2U);
  EXPECT_EQ(trace.tracks("worker 1 of pool").size(), 2U);
}

TEST(TraceFile, that_cannot_be_written_is_refused_by_name) {
  const std::map<const char*, int> reasons{
      {"/nowhere/trace.json", ENOENT}, {"/", EISDIR}, {"/dev/full", ENOSPC}};
  for (const auto& [path, reason] : reasons) {
    try {
      const TraceFile file{path};
      ADD_FAILURE() << path;
    } catch (const ArgumentError& error) {
      EXPECT_EQ(error.what(),
                "the trace " + std::string{path} + " cannot be written: " + std::strerror(reason));
    }
  }
}

// Whole programs, traced from outside: this one, started again.

struct Ran {
  int status = 0;
  std::string errors;
};

Ran run_traced(const std::string& role, const std::string& trace, const Folder& folder) {
  const std::string command = "WEFT_TRACE='" + trace + "' WATCHED='" + (folder / "trace.json") + "' '" +
                              fs::read_symlink("/proc/self/exe").string() + "' --role " + role +
                              " >/dev/null 2>'" + (folder / "errors") + "'";
  const int status = std::system(command.c_str());
  return {status, text_of(folder / "errors")};
}

void leave_without_a_word(const Role::Arguments&) {
  static Pool pool{{.limit = 2}};
  static Worker worker;
  for (int i = 0; i < 20; ++i) pool.submit<tripled>(i).get();
  worker.submit<tripled>(5).get();
  // main() returns now, and exit() is called with both still there.
}
const Role leaves{"leaves_without_a_word", leave_without_a_word};

void be_killed(const Role::Arguments&) {
  Pool pool{{.limit = 2}};
  const std::string watched = std::getenv("WATCHED");
  const auto has_two_results = [&] {
    const std::string text = text_of(watched);
    const std::size_t first = text.find("result of");
    return first != std::string::npos && text.find("result of", first + 1) != std::string::npos;
  };
  while (!has_two_results()) pool.submit<tripled>(1).get();
  std::vector<Execution<int>> under_way;
  for (int i = 0; i < 1000; ++i) under_way.push_back(pool.submit<tripled>(i));
  ::raise(SIGKILL);
}
const Role killed{"is_killed", be_killed};

void have_workers_with_pools(const Role::Arguments&) {
  Pool pool{{.limit = 1}};
  pool.submit<asks_another>(4).get();
  pool.shutdown();
}
const Role nests{"has_workers_with_pools", have_workers_with_pools};

TEST(TracedProgram, writes_all_where_it_just_exits) {
  const Folder folder;
  const Ran ran = run_traced("leaves_without_a_word", folder / "trace.json", folder);
  EXPECT_EQ(ran.status, 0) << ran.errors;
  const Trace trace{folder / "trace.json"};
  EXPECT_EQ(trace.whole_flows(), 21U);
  EXPECT_EQ(trace.tracks("worker 1 of worker").size(), 1U);
}

TEST(TracedProgram, that_is_killed_leaves_what_can_be_read) {
  const Folder folder;
  const Ran ran = run_traced("is_killed", folder / "trace.json", folder);
  EXPECT_TRUE(WIFSIGNALED(ran.status) || WEXITSTATUS(ran.status) == 128 + SIGKILL);
  const Trace trace{folder / "trace.json"};
  EXPECT_GE(trace.whole_flows(), 2U);
}

TEST(TracedProgram, has_a_file_a_process_where_it_is_asked_for) {
  const Folder folder;
  EXPECT_EQ(run_traced("has_workers_with_pools", folder / "trace-%p.json", folder).status, 0);
  std::size_t files = 0;
  for (const auto& each : fs::directory_iterator{folder.path()}) {
    if (each.path().extension() != ".json") continue;
    ++files;
    EXPECT_EQ(Trace{each.path().string()}.whole_flows(), 1U) << each.path();
  }
  EXPECT_EQ(files, 2U);
  // And else only the program's own.
  EXPECT_EQ(run_traced("has_workers_with_pools", folder / "one", folder).status, 0);
  EXPECT_EQ(Trace{folder / "one"}.whole_flows(), 1U);
}

TEST(TracedProgram, goes_on_where_its_trace_cannot_be_written) {
  const Folder folder;
  const Ran ran = run_traced("has_workers_with_pools", "/nowhere/trace.json", folder);
  EXPECT_EQ(ran.status, 0);
  EXPECT_NE(ran.errors.find("weft: WEFT_TRACE: the trace /nowhere/trace.json cannot be written"),
            std::string::npos)
      << ran.errors;
}

}  // namespace
}  // namespace weft::contract
