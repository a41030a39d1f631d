#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <weft/detail/signature.hpp>
#include <weft/task.hpp>

namespace weft {

namespace detail {

/// Id of a named task: its name and what it takes and returns, so that a task whose signature has changed is unknown
/// rather than misread.
template <class Function>
constexpr std::uint64_t named_id(std::string_view name) noexcept {
  return hash_text(name, signature_hash<Function>());
}

/// False if the id was taken before (the later registration stands).
WEFT_EXPORT bool register_named(std::uint64_t id, const char* name, const TaskEntry* entry);
WEFT_EXPORT void remember_name(std::uint64_t id, const char* name);

template <class Arguments>
struct EntryFor;
template <class... Args>
struct EntryFor<Parameters<Args...>> {
  template <auto Function>
  using Task = FunctionTask<Function, Kept<Args>...>;
  template <class R>
  using Signature = R(Kept<Args>...);
};

template <auto Function>
bool register_function(const char* name) {
  using Traits = CallableTraits<decltype(Function)>;
  using For = EntryFor<typename Traits::Arguments>;
  using Signature = typename For::template Signature<std::remove_cvref_t<typename Traits::Result>>;
  return register_named(named_id<Signature>(name), name, &For::template Task<Function>::entry);
}

}  // namespace detail

/// A task that workers of another binary know by name: `pool.submit(weft::named<int(std::string)>("count"), "text")`.
template <class Function>
class NamedTask {
 public:
  explicit NamedTask(const char* name) : id_{detail::named_id<Function>(name)} {
    detail::remember_name(id_, name);
  }
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }

 private:
  std::uint64_t id_;
};

/// `Function` is the signature by value, `Result(Arguments...)`, as the worker registered it.
template <class Function>
[[nodiscard]] NamedTask<Function> named(const char* name) {
  return NamedTask<Function>{name};
}

}  // namespace weft

/// Registers a free function under a name, at namespace scope of a binary whose workers shall know it.
#define WEFT_TASK(name, function)                                  \
  [[maybe_unused]] static const bool weft_task_registered_##name = \
      ::weft::detail::register_function<&function>(#name)
