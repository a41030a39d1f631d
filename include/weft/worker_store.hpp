#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>
#include <weft/deadline.hpp>
#include <weft/detail/typename.hpp>
#include <weft/export.hpp>

namespace weft {

/// What the tasks of one worker keep for later ones of the same worker: a model, a cache, a connection. Values by key,
/// each with a time to live if it is to have one. TaskScope::store() has it.
///
/// A value is shared with the tasks that just use it: one that is replaced, erased or past its time is destroyed once the
/// last of them lets go.
///
/// Owner: the worker (of WorkerKind::caller, the pool); what is left is destroyed when it leaves in good order, and not
/// where it is killed or crashes. Threads: any. Blocks: never, nor suspends, but for `make` of get_or().
class WEFT_EXPORT WorkerStore {
 public:
  /// A time to live without end.
  static constexpr std::chrono::nanoseconds kForever = std::chrono::nanoseconds::max();
  using Clock = Deadline (*)();

  /// A store of one's own; `clock` tells the time for it.
  explicit WorkerStore(Clock clock = &std::chrono::steady_clock::now) noexcept : clock_{clock} {}

  /// The value of `key`; null if there is none, or its time is over. Throws ArgumentError, naming both types, if it is
  /// of another type than T.
  template <class T>
  [[nodiscard]] std::shared_ptr<T> get(std::string_view key) {
    return std::static_pointer_cast<T>(find(key, type_of<T>()));
  }

  /// Keeps `value` under `key`, in place of what is there, of whatever type. After `ttl`, counted from now, it is gone:
  /// that is looked at when it is asked for, and now and then by set(), so that keys that nobody asks for any more do not
  /// pile up. Throws ArgumentError unless `ttl` is positive.
  template <class T>
  std::shared_ptr<std::decay_t<T>> set(std::string_view key, T&& value,
                                       std::chrono::nanoseconds ttl = kForever) {
    auto kept = std::make_shared<std::decay_t<T>>(std::forward<T>(value));
    put(key, kept, type_of<std::decay_t<T>>(), ttl, Present::goes);
    return kept;
  }

  /// The value of `key`; where there is none, what `make()` returns is kept first. If `make` throws, nothing is. If
  /// another task is first meanwhile, its value is given, and this one is dropped. Throws ArgumentError like
  /// get() and set().
  template <class T, std::invocable Make>
  [[nodiscard]] std::shared_ptr<T> get_or(std::string_view key, Make&& make,
                                          std::chrono::nanoseconds ttl = kForever) {
    static_assert(std::is_convertible_v<std::invoke_result_t<Make>, T>, "make() does not return a T");
    check(ttl);
    if (auto kept = get<T>(key)) return kept;
    auto made = std::make_shared<T>(std::invoke(std::forward<Make>(make)));
    return std::static_pointer_cast<T>(put(key, std::move(made), type_of<T>(), ttl, Present::stands));
  }

  /// False if there was nothing.
  bool erase(std::string_view key);
  void clear();
  /// How many values there are, those included whose time is over and that have not been looked at since.
  [[nodiscard]] std::size_t size() const;

  WorkerStore(const WorkerStore&) = delete;
  WorkerStore& operator=(const WorkerStore&) = delete;
  ~WorkerStore() { clear(); }

 private:
  struct Type {
    const std::type_info* id;
    const char* name;
  };
  struct Entry {
    std::shared_ptr<void> value;
    Type type{};
    Deadline until;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;
  enum class Present : bool { goes, stands };
  template <class T>
  static Type type_of() noexcept {
    static_assert(std::is_object_v<T> && std::is_same_v<T, std::remove_cv_t<T>>,
                  "a store keeps values: name their type without const and &");
    return {&typeid(T), detail::type_name<T>()};
  }
  static void check(std::chrono::nanoseconds ttl);
  std::shared_ptr<void> find(std::string_view key, Type type);
  std::shared_ptr<void> put(std::string_view key, std::shared_ptr<void> value, Type type,
                            std::chrono::nanoseconds ttl, Present present);
  std::shared_ptr<void> look(std::string_view key, Type type, Entries::node_type& gone);
  std::vector<std::shared_ptr<void>> sweep(Deadline now);

  Clock clock_;
  mutable std::mutex lock_;
  Entries entries_;
  std::size_t sweep_at_ = 16;  ///< put() looks through all entries when there are so many
};

}  // namespace weft
