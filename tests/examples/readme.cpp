// Samples of README.md that have no test of their own.

#include <fcntl.h>
#include <poll.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

void lines() {
  weft::Pool pool{{.limit = 8, .worker = {.output = weft::Output::lines, .output_prefix = "[{worker}] "}}};
}

void limits() {
  weft::Pool pool{
      {.limit = 8,
       .worker = {
           .limits = {
               .memory_bytes = 512 << 20, .cpu_time = 600s, .open_files = 64, .nice = 10, .cpus = {0}}}}};
}

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

class Slow : public weft::Observer {
  void task_settled(const weft::TaskEvent& event) override {
    if (event.times.ran() > 1s) std::printf("%s ran long\n", std::string{event.name}.c_str());
  }
};

std::string paint(const std::string& what) { return "a " + what; }

void watch() {
  {
    weft::Pool pool{{.limit = 4, .observer = std::make_shared<weft::TraceFile>("trace.json")}};
    require(pool.submit<paint>("landscape").get() == "a landscape", "a traced task");
  }
  require(std::fopen("trace.json", "r") != nullptr, "a trace");
  std::remove("trace.json");
  weft::Pool pool{{.limit = 1, .observer = std::make_shared<Slow>()}};
  auto painting = pool.with({.measure_times = true}).submit<paint>("portrait");
  painting.wait();
  const weft::TaskTimes times = painting.times().value();  // times.waited(), times.ran(), times.pid ...
  require(times.attempts == 1 && times.begun >= times.submitted, "times");
}

void stop() {
  weft::Pool pool{{.limit = 1}};
  std::stop_source closing;
  const weft::AnyStop stop =
      weft::stop_after(30s, closing.get_token());  // whichever is first; any_stop(a, b), stop_at(time)
  auto page = pool.with({.stop = stop}).submit<paint>("index");
  std::optional<std::string> text = page.get(stop);  // nullopt: the wait was cancelled
  require(text == "a index", "nothing was stopped");
  closing.request_stop();
  require(page.get(stop) == "a index", "what is there needs no wait");
}

std::string loaded;
double root(double number) { return std::sqrt(number); }
void shrink(const std::string&) {}
void load(const std::string& model) { loaded = model; }
std::string ask(const std::string& question) { return loaded + ": " + question; }
void forget(const std::string&) { loaded.clear(); }
int square(int number) { return number * number; }

void parts() {
  weft::Pool pool{{.limit = 2}};
  const std::vector<double> numbers{4, 9};
  const std::vector<std::string> paths{"a", "b"};
  // clang-format off
  const std::vector<double> roots = pool.map<root>(numbers);   // many items in a task, values in order
  pool.for_each([](const std::string& path) { shrink(path); }, paths);

  weft::PoolView thumbnails = pool.view({.limit = 2});   // takes turns with others, has 2 tasks with workers at most
  thumbnails.submit<shrink>("photo.jpg").get();

  weft::Lease lease = pool.lease();                      // one worker alone, for tasks that belong together
  lease.submit<load>("model").get();
  const std::string answer = lease.submit<ask>("why").get();

  for (auto& each : pool.broadcast<forget>("model")) each.get();   // once in every worker
  // clang-format on
  require(roots == std::vector<double>{2, 3}, "the roots");
  require(answer == "model: why", "the answer of the leased worker");
}

struct Model {
  std::string answer(const std::string& question) const { return name + ": " + question; }
  std::string name;
};
Model load_model() { return {"model"}; }

// clang-format off
std::string ask_model(weft::TaskScope& scope, const std::string& question) {
  const auto model = scope.store().get_or<Model>("model", load_model, 10min);   // std::shared_ptr<Model>
  return model->answer(question);
}
// clang-format on

// clang-format off
weft::Descriptor open_page(const std::string& path) { return weft::Descriptor{::open(path.c_str(), O_RDONLY)}; }
// clang-format on

void descriptors() {
  weft::Pool pool{{.limit = 1}};
  require(pool.submit<open_page>("/proc/self/exe").get().get() >= 0, "the file that came");
}

void stores() {
  weft::Pool pool{{.limit = 1}};
  require(pool.submit<ask_model>("why").get() == "model: why", "the answer of the model that was kept");
}

void threads_of_this_program() {
  const weft::WorkerOptions as_thread{.kind = weft::WorkerKind::thread};
  weft::Pool threads{{.limit = 2, .worker = as_thread}};
  const int nine = threads.submit<square>(3).get();

  auto doubler = weft::start_context<int, int>({.worker = as_thread}, [](weft::TaskScope& scope) {
    auto parent = scope.channel<int, int>();
    parent.send(2 * parent.receive());
  });
  doubler.channel().send(21);
  const int answer = doubler.channel().receive();  // 42
  doubler.join();
  require(nine == 9 && answer == 42, "what threads of this program say");
}

void loop() {
  weft::Pool pool{{.limit = 1}};
  // clang-format off
  weft::CompletionQueue done;
  done.add(pool.submit<square>(7), [](weft::Execution<int>& square) { std::printf("%d\n", square.get()); });
  pollfd readable{done.descriptor(), POLLIN, 0};
  while (done.pending() != 0 && ::poll(&readable, 1, -1) == 1) done.dispatch();
  // clang-format on
}

}  // namespace

int main(int argc, char** argv) {
  weft::init(argc, argv);
  lines();
  stop();
  limits();
  watch();
  parts();
  stores();
  descriptors();
  threads_of_this_program();
  loop();
  return 0;
}
