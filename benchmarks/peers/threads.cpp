// Threads of the same process: Boost.Asio's pool, std::async and a Boost.Fiber channel.

#include <boost/asio/packaged_task.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/fiber/buffered_channel.hpp>
#include <boost/fiber/future.hpp>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "peers/pattern.hpp"
#include "peers/peers.hpp"

namespace weft::bench {

namespace {

namespace asio = boost::asio;
namespace fibers = boost::fibers;

class AsioPool {
 public:
  explicit AsioPool(const Run& run) {
    asio::post(pool_, std::packaged_task<void()>{[cpu = run.peer_cpu()] { pin(cpu); }}).get();
  }
  std::future<Message> submit(const Message& message) {
    return asio::post(pool_, std::packaged_task<Message()>{[message] { return message; }});
  }

 private:
  asio::thread_pool pool_{1};
};

// A thread each, as std::launch::async has it in this library. It inherits this thread's CPU, which would have both
// sides take turns on one, and so moves to the other first.
class AsyncPool {
 public:
  explicit AsyncPool(const Run& run) : cpu_{run.peer_cpu()} {}
  std::future<Message> submit(const Message& message) const {
    return std::async(std::launch::async, [message, cpu = cpu_] {
      pin(cpu);
      return message;
    });
  }

 private:
  int cpu_;
};

class FiberPool {
 public:
  explicit FiberPool(const Run& run) : thread_{[this, cpu = run.peer_cpu()] { work(cpu); }} {}
  FiberPool(const FiberPool&) = delete;
  FiberPool& operator=(const FiberPool&) = delete;
  ~FiberPool() {
    channel_.close();
    thread_.join();
  }
  fibers::future<Message> submit(const Message& message) {
    fibers::packaged_task<Message()> task{[message] { return message; }};
    fibers::future<Message> future = task.get_future();
    channel_.push(std::move(task));
    return future;
  }

 private:
  void work(int cpu) {
    pin(cpu);
    fibers::packaged_task<Message()> task;
    while (channel_.pop(task) == fibers::channel_op_status::success) task();
  }

  // It holds one less than its capacity, which is a power of 2.
  fibers::buffered_channel<fibers::packaged_task<Message()>> channel_{2 * kPeerInFlight};
  std::thread thread_;
};

}  // namespace

void add_thread_peers(std::vector<Benchmark>& to) {
  add_pool_peer<AsioPool>(to, "asio_thread_pool.32B", "Boost.Asio thread_pool, future (threads)");
  add_pool_peer<AsyncPool>(to, "std_async", "std::async (threads)");
  add_pool_peer<FiberPool>(to, "boost_fiber", "Boost.Fiber channel, future (threads)");
}

}  // namespace weft::bench
