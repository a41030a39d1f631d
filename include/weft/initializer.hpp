#pragma once

#include <weft/task.hpp>

namespace weft {

/// A function that each worker runs before its first task: `.initializer = weft::initializer<load_model>`.
class Initializer {
 public:
  Initializer() noexcept = default;
  explicit constexpr Initializer(const detail::TaskEntry& entry) noexcept : entry_{&entry} {}
  [[nodiscard]] const detail::TaskEntry* entry() const noexcept { return entry_; }

 private:
  const detail::TaskEntry* entry_ = nullptr;
};

/// `Function` takes nothing, or a TaskScope&, and returns nothing.
template <auto Function>
inline const Initializer initializer{detail::FunctionTask<Function>::entry};

}  // namespace weft
