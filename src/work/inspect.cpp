// What weft's programs look like from outside. Everything that is read here, files of /proc and the memory of other
// processes, is anybody's: copied, bounded, checked, and then shown at most.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/error.hpp>
#include <weft/inspect.hpp>
#include <weft/task.hpp>

#include "doorbell/doorbell.hpp"
#include "memory/region.hpp"
#include "process/crash_record.hpp"
#include "process/object_name.hpp"
#include "process/proc.hpp"
#include "ring/lane.hpp"
#include "wire/frame.hpp"
#include "work/worker_main.hpp"

namespace weft {

namespace {

using base::Fault;
using base::Result;
using process::HeldRegion;
using process::ProcessLook;

/// A lane of another process, mapped here.
struct Lane {
  memory::PeerRegion region;
  ring::LaneView view;
  std::uint32_t owner =
      0;  ///< the process that writes it, as that knows itself; 0 if nobody has begun to, and nothing is mapped
};

Result<Lane> open_lane(pid_t pid, const HeldRegion& held) {
  auto file = process::open_held(pid, held.number);
  if (!file) return file.fault();
  Lane lane;
  // It was made by whoever starts a worker, and is sealed before it is written.
  std::uint64_t magic = 0;
  if (::pread(file->get(), &magic, sizeof magic, 0) == ssize_t{sizeof magic} && magic == 0) return lane;
  auto region = memory::PeerRegion::map(*std::move(file), sizeof(ring::LaneHeader));
  if (!region) return region.fault();
  lane.region = *std::move(region);
  auto view = ring::open_lane(lane.region.data(), lane.region.bytes());
  if (!view) return view.fault();
  lane.view = *view;
  lane.owner = view->header->owner_pid;
  return lane;
}

/// What a TaskEntry's symbol says of the task: the first argument of its template, without what only linkers care for.
std::string task_of_symbol(std::string_view symbol) {
  const std::size_t open = symbol.find("Task<");
  if (!symbol.starts_with("weft::detail::") || !symbol.ends_with(">::entry") ||
      open == std::string_view::npos)
    return {};
  std::string_view text = symbol.substr(open + 5);
  text.remove_suffix(std::string_view{">::entry"}.size());
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char each = text[i];
    if (each == '<' || each == '(' || each == '{') ++depth;
    if ((each == '>' && (i == 0 || text[i - 1] != '-')) || each == ')' || each == '}') --depth;
    if (each == ',' && depth == 0) text = text.substr(0, i);
  }
  if (text.starts_with("&")) {
    // "&(name(parameters))", or "&name".
    text.remove_prefix(1);
    if (text.starts_with("(") && text.ends_with(")")) text = text.substr(1, text.size() - 2);
    if (text.ends_with(")")) {
      std::size_t at = text.size();
      int open_brackets = 0;
      while (at > 0) {
        --at;
        if (text[at] == ')') ++open_brackets;
        if (text[at] == '(' && --open_brackets == 0) break;
      }
      text = text.substr(0, at);
    }
  }
  return std::string{text};
}

/// The name of the task with this code id in the process of this pid; empty if it cannot be found. Remembered, since it
/// takes reading a symbol table.
std::string task_name_in(pid_t pid, std::uint64_t function) {
  constexpr std::size_t kNamesMax = 4096;
  static std::mutex mutex;
  static auto& names = *new std::map<std::uint64_t, std::string>;
  const std::lock_guard guard{mutex};
  if (const auto known = names.find(function); known != names.end()) return known->second;
  std::string name;
  for (const base::UniqueFd& module : process::open_modules(pid)) {
    name = task_of_symbol(process::object_name(module.get(), static_cast<std::uint32_t>(function >> 32),
                                               function & 0xffff'ffff, sizeof(detail::TaskEntry)));
    if (!name.empty()) break;
  }
  // What has ended meanwhile may have had it all the same.
  if (name.empty() && !process::look_at(pid)) return name;
  if (names.size() >= kNamesMax) names.clear();
  return names[function] = name;
}

/// Into `worker`, what its lane says.
void read_lane(pid_t pid, const Lane& lane, WorkerLook& worker) {
  // Relaxed: each is shown as it is, and none leads anywhere.
  const ring::LaneCounters& counters = *lane.view.counters;
  const std::uint64_t claimed = counters.claimed.load(base::relaxed);
  const std::uint64_t begun = counters.begun.load(base::relaxed);
  const std::uint64_t in_hand = counters.tasks_in_hand.load(base::relaxed);
  const doorbell::Word parked{counters.parked.load(base::relaxed)};
  worker.tasks_done = counters.tasks_done.load(base::relaxed);
  static_assert(std::tuple_size_v<decltype(RunTimes::counts)> == ring::kRunTimes);
  // Relaxed: as above.
  for (std::size_t i = 0; i < ring::kRunTimes; ++i)
    worker.run_times.counts[i] = counters.run_times[i].load(base::relaxed);
  // A claim goes ahead with each answer, to the next frame; that has begun once the two are equal again (ring::begin()).
  const bool is_in_task = begun != 0 && begun == claimed;
  const bool is_asleep = parked.mode() != doorbell::Mode::awake;
  worker.tasks_in_hand = is_asleep ? in_hand : std::max<std::uint64_t>(in_hand, is_in_task ? 1 : 0);
  worker.state = is_asleep                    ? (in_hand != 0 ? WorkerState::waiting : WorkerState::parked)
                 : is_in_task || in_hand != 0 ? WorkerState::busy
                 : parked.bits == 0 && claimed == 0 ? WorkerState::starting
                                                    : WorkerState::idle;
  if (worker.tasks_in_hand == 0) return;
  auto record =
      process::read_crash_record({lane.view.black_box, static_cast<std::size_t>(lane.view.black_box_bytes)});
  if (!record || record->function == 0 || (record->flags & wire::kNamed) != 0) return;
  worker.task = task_name_in(pid, record->function);
}

auto is_called(const char* name) {
  return [name](const HeldRegion& held) { return held.name == name; };
}

/// All that is to be known of one process and of those that it started.
class Observatory {
 public:
  Observatory() {
    for (const pid_t pid : process::all_processes()) {
      if (auto look = process::look_at(pid)) processes_.emplace(pid, *std::move(look));
    }
  }

  [[nodiscard]] const std::map<pid_t, ProcessLook>& processes() const noexcept { return processes_; }

  /// nullopt if it holds no pool. Faults: system, with errno.
  [[nodiscard]] Result<std::optional<ProgramLook>> look(const ProcessLook& process) {
    auto held = process::held_regions(process.pid, "weft-");
    if (!held) return held.fault();
    const auto pools = std::count_if(held->begin(), held->end(), is_called(work::kBoard));
    if (pools == 0) return std::optional<ProgramLook>{};
    first_fault_.reset();
    ProgramLook program;
    program.at = std::chrono::steady_clock::now();
    program.pid = process.pid;
    program.name = process.name;
    program.pools = static_cast<std::size_t>(pools);
    program.cpu_time = process.cpu_time;
    measure(process, program);
    for (const HeldRegion& each : *held) {
      if (each.name != work::kParentLane) continue;
      auto lane = open_lane(process.pid, each);
      if (lane && lane->owner == 0) continue;
      if (!lane) note(lane.fault(), program);
      // Who forked without exec holds what its parent does, and none of it is its own.
      if (lane && !is_own(*lane, process)) return std::optional<ProgramLook>{};
      break;
    }
    for (const auto& [pid, other] : processes_) {
      if (other.parent == process.pid && is_workers(other)) add_process(other, program);
    }
    for (const HeldRegion& each : *held) {
      if (each.name == work::kThreadLane) add_thread(process.pid, each, program);
    }
    return std::optional{std::move(program)};
  }
  /// The first of what could not be read.
  [[nodiscard]] const std::optional<Fault>& fault() const noexcept { return first_fault_; }

  static bool is_workers(const ProcessLook& process) {
    return process.argument == work::kWorkerArgument || process.argument == work::kZygoteArgument;
  }

 private:
  void note(const Fault& fault, ProgramLook& program) {
    if (!first_fault_) first_fault_ = fault;
    if (program.problem.empty()) program.problem = fault.message;
  }

  /// Its memory, for a program or worker.
  template <class Look>
  static void measure(const ProcessLook& process, Look& look) {
    const auto memory = process::memory_of(process.pid);
    look.resident_bytes = memory ? memory->resident_bytes : process.resident_bytes;
    if (memory) look.proportional_bytes = memory->proportional_bytes;
  }

  static bool is_own(const Lane& lane, const ProcessLook& process) {
    return lane.owner == static_cast<std::uint32_t>(process.inner_pid);
  }

  void add_process(const ProcessLook& process, ProgramLook& program) {
    WorkerLook worker;
    worker.pid = process.pid;
    worker.cpu_time = process.cpu_time;
    measure(process, worker);
    auto held = process::held_regions(process.pid, work::kWorkerLane);
    if (!held) {
      if (held.fault().error == ENOENT) return;  // it has just ended
      note(held.fault(), program);
    } else if (held->empty() && process.name == work::kZygoteName) {
      worker.state = WorkerState::zygote;
    } else {
      // Those that it offers to workers of its own are among them.
      for (const HeldRegion& each : *held) {
        auto lane = open_lane(process.pid, each);
        if (!lane) note(lane.fault(), program);
        if (!lane || !is_own(*lane, process)) continue;
        read_lane(process.pid, *lane, worker);
        break;
      }
    }
    program.workers.push_back(std::move(worker));
  }

  void add_thread(pid_t pid, const HeldRegion& held, ProgramLook& program) {
    WorkerLook worker;
    worker.pid = pid;
    worker.is_thread = true;
    auto lane = open_lane(pid, held);
    if (!lane) return note(lane.fault(), program);
    if (lane->owner != 0) read_lane(pid, *lane, worker);
    program.workers.push_back(std::move(worker));
  }

  std::map<pid_t, ProcessLook> processes_;
  std::optional<Fault> first_fault_;
};

}  // namespace

std::chrono::nanoseconds RunTimes::percentile(double percent) const noexcept {
  // Of numbers that may be anything the sum may not fit 64 bits.
  double all = 0;
  for (const std::uint64_t each : counts) all += static_cast<double>(each);
  const double wanted = std::clamp(percent, 0.0, 100.0) / 100 * all;
  double seen = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    seen += static_cast<double>(counts[i]);
    const bool is_last = i + 1 == counts.size();
    if (counts[i] != 0 && seen >= wanted)
      return std::chrono::nanoseconds{std::int64_t{1} << (ring::kRunTimesFirstBits + i - (is_last ? 1 : 0))};
  }
  return {};
}

RunTimes& RunTimes::operator+=(const RunTimes& other) noexcept {
  for (std::size_t i = 0; i < counts.size(); ++i)
    counts[i] += std::min(other.counts[i], ~std::uint64_t{0} - counts[i]);
  return *this;
}

std::vector<ProgramLook> look_at_programs() {
  Observatory observatory;
  std::vector<ProgramLook> programs;
  for (const auto& [pid, process] : observatory.processes()) {
    if (process.user != ::geteuid()) continue;
    auto program = observatory.look(process);
    if (program && *program) programs.push_back(**std::move(program));
  }
  return programs;
}

ProgramLook look_at_program(std::int64_t pid) {
  const std::string who = "process " + std::to_string(pid);
  Observatory observatory;
  const auto found = observatory.processes().find(static_cast<pid_t>(pid));
  if (pid <= 0 || pid > INT32_MAX || found == observatory.processes().end())
    throw ArgumentError{"there is no " + who};
  auto program = observatory.look(found->second);
  if (!program) {
    if (program.fault().error == EACCES || program.fault().error == EPERM)
      throw Error{who + " (" + found->second.name +
                      ") may not be looked into: it belongs to another user, or keeps others out",
                  {}};
    throw ArgumentError{"there is no " + who + " any more"};
  }
  if (!*program) {
    if (Observatory::is_workers(found->second)) {
      throw ArgumentError{who + " is a worker of process " + std::to_string(found->second.parent) +
                          ": look at that one"};
    }
    throw ArgumentError{who + " (" + found->second.name + ") has no pool of weft's"};
  }
  if (observatory.fault() && observatory.fault()->kind == Fault::Kind::incompatible)
    throw Incompatible{who + " (" + (*program)->name +
                       ") uses another version of weft: " + observatory.fault()->message};
  return **std::move(program);
}

}  // namespace weft
