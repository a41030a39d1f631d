#pragma once

#include "work/running_task.hpp"

namespace weft::work {

/// The call of an initializer: no arguments, and nobody waits for its value.
class InitializerCall final : public detail::TaskCall {
 public:
  explicit InitializerCall(std::uint64_t worker_id) noexcept
      : TaskCall{Encoding::nothing, {}, {}, own_scope_}, own_scope_{worker_id, 0} {}
  void decoded() override {}
  void keep_payload() override {}
  void value(const detail::Payload&) override {}

 private:
  WorkerScope own_scope_;
};

}  // namespace weft::work
