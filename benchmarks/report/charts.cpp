#include "report/charts.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "harness/comparison.hpp"
#include "harness/report.hpp"

namespace weft::bench {

namespace {

using enum Axis::Scale;

// Points whose figures name their chart and line.
struct Sweep {
  const char* id;
  const char* title;
  const char* text;
  Axis x;
  Axis y;
};

const std::vector<Sweep>& sweeps() {
  static const std::vector<Sweep> all{
      {"payload",
       "Round trip by size of the payload",
       "From submit to the value. What is copied takes longer the more there is; a Buffer is handed over "
       "where it lies.",
       {"bytes there and back", "bytes", log},
       {"time of the call", "ns", log}},
      {"in_flight",
       "Throughput by tasks in flight",
       "Empty tasks through one worker: with one in flight this is the round trip, with many the two sides "
       "work at the same time.",
       {"tasks in flight", "", log},
       {"tasks", "1/s", log}},
      {"workers",
       "Throughput by number of workers",
       "1024 tasks in flight, nobody pinned, up to four workers a CPU. The parent needs a CPU too.",
       {"workers", "", linear},
       {"tasks", "1/s", log}},
      {"idle",
       "Spinning, parking and the time before the call",
       "A side that has had nothing to do for a while goes to sleep, and the next call has to wake it.",
       {"idle before the call", "ns", log},
       {"time of the call", "ns", log}},
      {"break_even",
       "Break-even: from which task on a pool pays",
       "Time of the plain loop / time of the pool, the same tasks, up to 256 in flight. Above 1 the pool "
       "wins.",
       {"CPU time of a task", "ns", log},
       {"speed-up", "x", linear}},
      {"memory",
       "Memory of a waiting worker",
       "Proportional set size: its own pages and its share of those that others have too, the mean of all "
       "workers.",
       {"workers", "", linear},
       {"memory of each", "bytes", linear}},
  };
  return all;
}

// Those that begin so, in the order of the run.
std::vector<const Result*> beginning(const std::vector<Result>& results, std::string_view prefix) {
  std::vector<const Result*> found;
  for (const Result& result : results) {
    if (result.figure.name.rfind(prefix, 0) == 0) found.push_back(&result);
  }
  return found;
}

std::vector<const Result*> of_chart(const std::vector<Result>& results, std::string_view chart) {
  std::vector<const Result*> found;
  for (const Result& result : results) {
    if (result.figure.chart == chart) found.push_back(&result);
  }
  return found;
}

void add_found(std::vector<const Result*>& to, const std::vector<Result>& results,
               std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    for (const Result& result : results) {
      if (result.figure.name == name) to.push_back(&result);
    }
  }
}

Section distributions(const std::vector<Result>& results) {
  Section section{"latency",
                  "Latency, up to p99.99",
                  "How long a call takes, from the median to one in ten thousand; all repetitions together.",
                  LineChart{{"percentile", "", percentile}, {"time of a call", "ns", log}, {}, false},
                  {},
                  {},
                  {}};
  add_found(section.results, results,
            {"limit.bounce", "ring.round_trip", "task.empty.round_trip", "task.string.round_trip",
             "buffer.1MiB.round_trip", "task.parked.round_trip", "limit.eventfd_pair",
             "baseline.unix_socket.round_trip", "baseline.pipe.round_trip",
             "baseline.message_queue.round_trip", "baseline.asio_thread_pool.round_trip"});
  for (const Result* const result : section.results) {
    Line line{result->figure.name, {}};
    for (const Quantile& point : result->curve) line.points.push_back({point.part, point.value});
    section.lines->lines.push_back(std::move(line));
  }
  return section;
}

Section sweep(const std::vector<Result>& results, const Sweep& what) {
  Section section{
      what.id, what.title, what.text, LineChart{what.x, what.y, {}}, {}, {}, of_chart(results, what.id)};
  for (const Result* const result : section.results) {
    auto& lines = section.lines->lines;
    auto line = std::find_if(lines.begin(), lines.end(),
                             [&](const Line& one) { return one.label == result->figure.series; });
    if (line == lines.end()) line = lines.insert(lines.end(), Line{result->figure.series, {}});
    line->points.push_back({result->figure.x, result->p50});
  }
  return section;
}

void find_break_even(Section& section) {
  for (const Line& line : section.lines->lines) {
    const auto from = reaches(line.points, 1);
    section.findings.push_back(
        from ? fmt::format("For tasks of {} and more, {} beats the loop.", in_words(*from, "ns"), line.label)
             : fmt::format("{} does not beat the loop at any duration measured.", line.label));
  }
}

bool is_ours(std::string_view name) {
  return name.rfind("limit.", 0) != 0 && name.rfind("baseline.", 0) != 0;
}

// Figures of core.json name no chart, so no bar either.
std::string label_of(const Figure& figure) {
  if (!figure.series.empty()) return figure.series;
  static constexpr std::pair<std::string_view, const char*> kLabels[] = {
      {"limit.bounce", "the limit: a cache line there and back"},
      {"limit.posix_spawn", "posix_spawn of an empty program"},
      {"baseline.unix_socket.round_trip", "UNIX socket"},
      {"baseline.pipe.round_trip", "pipe"},
      {"baseline.message_queue.round_trip", "Boost.Interprocess message_queue"},
  };
  for (const auto& [name, label] : kLabels) {
    if (figure.name == name) return label;
  }
  return figure.name;
}

Section bars(const char* id, const char* title, const char* text, std::vector<const Result*> results) {
  Section section{id, title, text, {}, BarChart{}, {}, std::move(results)};
  for (const Result* const result : section.results) {
    section.bars->unit = result->figure.unit;
    section.bars->bars.push_back({label_of(result->figure), result->p50, result->spread() > kSpreadWide,
                                  is_ours(result->figure.name)});
  }
  return section;
}

// Peers and what they stand beside, the best first.
std::vector<const Result*> ranked(std::vector<const Result*> found, bool least_first) {
  std::stable_sort(found.begin(), found.end(), [&](const Result* a, const Result* b) {
    return least_first ? a->p50 < b->p50 : a->p50 > b->p50;
  });
  return found;
}

}  // namespace

std::vector<Section> sections_of(const std::vector<Result>& results) {
  std::vector<Section> all;
  all.push_back(distributions(results));

  auto round_trips = of_chart(results, "peers.round_trip");
  add_found(round_trips, results,
            {"limit.bounce", "baseline.unix_socket.round_trip", "baseline.pipe.round_trip",
             "baseline.message_queue.round_trip"});
  all.push_back(bars(
      "peers", "Peers: one call",
      "The median of a request of 32 bytes and its answer of 32 bytes, the next after the answer; each peer "
      "as its own manual has it, both sides pinned. Pools of threads run a task that returns 32 bytes. "
      "std::async starts a thread for each, which moves to the other CPU first: that is measured with it.",
      ranked(std::move(round_trips), true)));
  all.push_back(bars("peers_pipelined", "Peers: 256 in flight",
                     "The same with 256 requests under way, to one worker: calls a second. Of a POSIX "
                     "message queue's, no more are under way than its two queues hold, each as many as "
                     "/proc/sys/fs/mqueue/msg_max says.",
                     ranked(of_chart(results, "peers.pipelined"), false)));
  for (const Sweep& what : sweeps()) {
    all.push_back(sweep(results, what));
    if (all.back().id == "break_even") find_break_even(all.back());
  }
  auto starts = beginning(results, "worker.start.");
  add_found(starts, results, {"worker.life.exec", "limit.posix_spawn"});
  all.push_back(bars(
      "start", "Starting a worker",
      "From nothing to the first result; limit.posix_spawn is an empty program from its start to its end.",
      std::move(starts)));
  all.push_back(bars("cpu_time", "CPU time of a task", "Of both processes, by the kernel's count.",
                     of_chart(results, "cpu_time")));

  std::vector<const Result*> rest;
  for (const Result& result : results) {
    if (result.figure.chart.empty()) rest.push_back(&result);
  }
  all.push_back({"figures", "All single figures", "core.json has these.", {}, {}, {}, std::move(rest)});
  std::erase_if(all, [](const Section& section) { return section.results.empty(); });
  return all;
}

}  // namespace weft::bench
