// A program with a pool, which passes every failure point of the parent's side. Its workers do not die by themselves.

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

extern char** environ;

namespace {

using namespace std::chrono_literals;

int identity(int number) { return number; }
int nap(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds{ms});
  return ms;
}
weft::Buffer made(std::size_t size) { return weft::Buffer::copy_of(std::string(size, 'm')); }
std::size_t length_of(const weft::Buffer& buffer) { return buffer.size(); }

int echo(weft::TaskScope& scope) {
  auto parent = scope.channel<int, int>();
  int count = 0;
  try {
    for (;; ++count) parent.send(parent.receive());
  } catch (const weft::Closed&) {
  }
  return count;
}
weft::Descriptor same_file(weft::Descriptor file) { return file; }
void count_up(weft::Parcel<int> counter, weft::shared::Mutex mutex) {
  for (int i = 0; i < 20; ++i) {
    const std::lock_guard guard{mutex};
    counter.synchronized([](int& count) { ++count; });
  }
}

/// What goes to and fro while tasks run.
void talk(weft::Pool& pool) {
  for (int round = 0; round < 4; ++round) {
    auto execution = pool.submit<echo>();
    auto channel = execution.channel<int, int>();
    for (int i = 0; i < 100; ++i) {
      channel.send(i);
      if (channel.receive() != i) std::abort();
    }
    channel.close();
    if (execution.get() != 100) std::abort();
  }
  for (int i = 0; i < 10; ++i) {
    if (!pool.submit<same_file>(weft::Descriptor::copy_of(STDERR_FILENO)).get()) std::abort();
  }
  weft::Parcel<int> counter{0};
  weft::shared::Mutex mutex;
  auto some = pool.submit<count_up>(counter, mutex);
  auto others = pool.submit<count_up>(counter, mutex);
  some.get();
  others.get();
  if (counter.unwrap() != 40) std::abort();
}

void use(weft::Pool& pool) {
  for (int i = 0; i < 300; ++i) {
    if (pool.submit<identity>(i).get() != i) std::abort();
  }
  for (int i = 0; i < 20; ++i) {
    const weft::Buffer buffer = pool.submit<made>(std::size_t{70'000}).get();
    if (pool.submit<length_of>(buffer).get() != 70'000) std::abort();
    if (pool.submit<length_of>(weft::Buffer::copy_of(std::string(50'000, 'x'))).get() != 50'000) std::abort();
  }
  // Something in a ring that has not begun, to be taken back.
  for (int round = 0; round < 20; ++round) {
    auto slow = pool.submit<nap>(5);
    auto other = pool.submit<nap>(5);
    std::vector<weft::Execution<int>> behind;
    for (int i = 0; i < 8; ++i) behind.push_back(pool.submit<identity>(i));
    for (auto& each : behind) static_cast<void>(each.cancel());
    slow.wait();
    other.wait();
    for (int i = 0; i < 100; ++i) pool.submit<identity>(i).get();
  }
  // A worker that goes.
  try {
    pool.submit([] { std::_Exit(1); }).get();
  } catch (const weft::WorkerExited&) {
    pool.submit<identity>(1).wait();
  }
}

}  // namespace

int main(int argc, char** argv) {
  weft::init(argc, argv);
  weft::PoolOptions options;
  options.limit = 2;
  auto& environment = options.worker.environment.emplace();
  for (char** each = environ; *each != nullptr; ++each) {
    if (!std::string{*each}.starts_with("WEFT_DIE_")) environment.emplace_back(*each);
  }
  weft::Pool pool{options};
  talk(pool);
  use(pool);
  pool.shutdown();
  options.worker.kind = weft::WorkerKind::zygote;
  weft::Pool copies{options};
  auto first = copies.submit<nap>(5);
  auto second = copies.submit<nap>(5);
  first.wait();
  second.wait();
  copies.shutdown();
  return 0;
}
