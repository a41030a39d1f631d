#pragma once

#include <weft/error.hpp>
#include <weft/task.hpp>

namespace weft::work {

/// Nobody asks an initializer to stop: a worker that takes too long to start is ended.
class InitializerScope final : public TaskScope {
 public:
  explicit InitializerScope(std::uint64_t worker_id) noexcept : TaskScope{worker_id, 0} {}
  [[nodiscard]] std::stop_token stop_token() override { return {}; }

 private:
  std::shared_ptr<detail::ChannelPort> open_channel(const detail::ChannelName&) override {
    throw ArgumentError{"an initializer has no channels: nobody submitted it"};
  }
  void tell_progress(const Progress&) override {}
};

/// The call of an initializer: no arguments, and nobody waits for its value.
class InitializerCall final : public detail::TaskCall {
 public:
  explicit InitializerCall(std::uint64_t worker_id) noexcept
      : TaskCall{Encoding::nothing, {}, {}, own_scope_}, own_scope_{worker_id} {}
  void decoded() override {}
  void keep_payload() override {}
  void value(const detail::Payload&) override {}

 private:
  InitializerScope own_scope_;
};

}  // namespace weft::work
