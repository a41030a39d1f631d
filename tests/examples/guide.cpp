// Samples of include/weft/coming_from.md.

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <numeric>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

double mean(const std::vector<double>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0.0) / static_cast<double>(numbers.size());
}
int render_all(weft::TaskScope& scope) {
  while (!scope.stop_token().stop_requested()) std::this_thread::yield();
  return 3;
}
double halve(double number) { return number / 2; }

// clang-format off
struct FetchLength {                     // amphp: class FetchLength implements Task
  std::string url;                       //        the constructor's parameters
  std::size_t run() const { return url.size(); }   // run(Channel $channel, Cancellation $cancellation)
};

void amphp() {
weft::Execution<std::size_t> one = weft::submit(FetchLength{"https://example.org"});  // Amp\Parallel\Worker\submit
const std::size_t length = one.get();                                                 // $execution->await()
require(length == 19, "the length of the URL");
}

void spatie() {
std::atomic<int> sum = 0;  // callbacks may run at the same time
std::atomic<int> refused = 0;
std::atomic<int> late = 0;
weft::Pool pool{{.limit = 20}};                        // spatie: Pool::create()->concurrency(20)
std::vector<weft::Execution<int>> all;
for (int i = 0; i < 50; ++i) {
  all.push_back(pool.submit([](int number) { return number * 2; }, i));   // $pool->add(fn () => ...)
  all.back()
      .then([&](int value) { sum += value; })                              // ->then(...)
      .fail<std::invalid_argument>([&](const auto&) { ++refused; })        // ->catch(...), by type
      .fail<weft::TimedOut>([&](const auto&) { ++late; });                 // ->timeout(...)
}
const std::vector<int> values = weft::all(all);        // $pool->wait(), and the values in order
pool.shutdown();
require(sum == 49 * 50 && refused == 0 && late == 0, "the sum of the callbacks");
require(values.back() == 98, "the last value");
}

void signals() {
sigset_t interrupt;
sigemptyset(&interrupt);
sigaddset(&interrupt, SIGINT);
pthread_sigmask(SIG_BLOCK, &interrupt, nullptr);       // first of all, so that all threads have it
weft::Pool pool{{.limit = 1}};
std::stop_source interrupted;
std::thread{[interrupt, interrupted]() mutable {
  int signal = 0;
  if (sigwait(&interrupt, &signal) == 0) interrupted.request_stop();
}}.detach();
auto pages = pool.with({.stop = interrupted.get_token()}).submit<render_all>();   // Ctrl-C asks it to stop
while (pool.status().running == 0) std::this_thread::yield();
require(!pages.wait_for(std::chrono::milliseconds{50}), "nobody has asked it");
::kill(::getpid(), SIGINT);
require(pages.get() == 3, "the pages that were done");
}

void futures() {
weft::Pool pool{{.limit = 2}};
const std::vector<double> numbers{1, 2, 6};
std::future<double> before = std::async(std::launch::async, mean, numbers);
weft::Execution<double> now = pool.submit<mean>(numbers);
require(before.get() == now.get(), "the mean");
std::vector<std::future<double>> futures;
for (const double number : numbers) futures.push_back(std::async(std::launch::deferred, halve, number));
std::vector<double> results;
for (auto& each : futures) results.push_back(each.get());           // a future a number
const std::vector<double> mapped = pool.map<halve>(numbers);        // many numbers in a task
require(results == mapped, "the halves");
}
// clang-format on

}  // namespace

int main(int argc, char** argv) {
  weft::init(argc, argv);
  signals();
  amphp();
  spatie();
  futures();
  return 0;
}
