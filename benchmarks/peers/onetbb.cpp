// oneTBB: an arena with one worker thread, tasks enqueued, a promise for each answer.

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_scheduler_observer.h>

#include <future>
#include <memory>

#include "peers/adapter.hpp"

namespace weft::bench {

namespace {

// Puts the arena's thread on its CPU when it comes.
class OnCpu : public oneapi::tbb::task_scheduler_observer {
 public:
  OnCpu(oneapi::tbb::task_arena& arena, int cpu) : task_scheduler_observer{arena}, cpu_{cpu} {
    observe(true);
  }
  ~OnCpu() override { observe(false); }
  void on_scheduler_entry(bool) override { pin(cpu_); }

 private:
  int cpu_;
};

class TbbPool {
 public:
  explicit TbbPool(const Run& run) : on_cpu_{arena_, run.peer_cpu()} {}
  std::future<Message> submit(const Message& message) {
    auto promise = std::make_shared<std::promise<Message>>();
    std::future<Message> future = promise->get_future();
    arena_.enqueue([message, promise] { promise->set_value(message); });
    return future;
  }

 private:
  // With the asking thread pinned the library would count one CPU and have no thread of its own.
  oneapi::tbb::global_control threads_{oneapi::tbb::global_control::max_allowed_parallelism, 2};
  oneapi::tbb::task_arena arena_{1, 0};
  OnCpu on_cpu_;
};

}  // namespace

bool prints_here() { return true; }

void add_adapter(std::vector<Benchmark>& to) { add_pool_peer<TbbPool>(to, "onetbb", "oneTBB"); }

}  // namespace weft::bench
