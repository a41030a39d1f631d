#pragma once

#include <weft/error.hpp>
#include <weft/task.hpp>

namespace weft::work {

/// The store of this worker process; a zygote's copies begin with what its initializer put there.
WorkerStore& worker_store() noexcept;
/// While it lives, that of the calling thread is another than the process's: for a worker that is a thread.
class ThreadStore {
 public:
  ThreadStore() noexcept;
  ThreadStore(const ThreadStore&) = delete;
  ThreadStore& operator=(const ThreadStore&) = delete;
  ~ThreadStore();

 private:
  WorkerStore store_;
};

/// Nobody asks an initializer to stop: a worker that takes too long to start is ended.
class InitializerScope final : public TaskScope {
 public:
  InitializerScope(std::uint64_t worker_id, WorkerStore& store) noexcept
      : TaskScope{worker_id, 0}, store_{store} {}
  [[nodiscard]] std::stop_token stop_token() override { return {}; }
  [[nodiscard]] WorkerStore& store() noexcept override { return store_; }

 private:
  std::shared_ptr<detail::ChannelPort> open_channel(const detail::ChannelName&) override {
    throw ArgumentError{"an initializer has no channels: nobody submitted it"};
  }
  void tell_progress(const Progress&) override {}
  WorkerStore& store_;
};

/// The call of an initializer: no arguments, and nobody waits for its value.
class InitializerCall final : public detail::TaskCall {
 public:
  InitializerCall(std::uint64_t worker_id, WorkerStore& store) noexcept
      : TaskCall{Encoding::nothing, {}, {}, own_scope_}, own_scope_{worker_id, store} {}
  void decoded() override {}
  void keep_payload() override {}
  void value(const detail::Payload&) override {}

 private:
  InitializerScope own_scope_;
};

}  // namespace weft::work
