#include "work/named_tasks.hpp"

#include <cinttypes>
#include <cstdio>
#include <mutex>
#include <unordered_map>
#include <weft/named_task.hpp>

#include "process/module.hpp"

namespace weft {

namespace {

struct Registry {
  std::mutex mutex;
  std::unordered_map<std::uint64_t, const detail::TaskEntry*> entries;
  std::unordered_map<std::uint64_t, std::string> names;
};

Registry& registry() {
  static Registry& the_registry = *new Registry;  // used by static initialisers, and until the very end
  return the_registry;
}

std::string hexadecimal(std::uint64_t number) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%" PRIx64, number);
  return text;
}

}  // namespace

namespace detail {

bool register_named(std::uint64_t id, const char* name, const TaskEntry* entry) {
  Registry& all = registry();
  const std::lock_guard guard{all.mutex};
  all.names[id] = name;
  return all.entries.insert_or_assign(id, entry).second;
}

void remember_name(std::uint64_t id, const char* name) {
  Registry& all = registry();
  const std::lock_guard guard{all.mutex};
  all.names.try_emplace(id, name);
}

}  // namespace detail

namespace work {

namespace {

const detail::TaskEntry* entry_at(std::uint64_t function) noexcept {
  const void* const address = process::code_address(function);
  if (address == nullptr || reinterpret_cast<std::uintptr_t>(address) % alignof(detail::TaskEntry) != 0)
    return nullptr;
  // The whole entry lies in the module if its last byte does.
  if (process::code_address(function + sizeof(detail::TaskEntry) - 1) == nullptr) return nullptr;
  const auto* const entry = static_cast<const detail::TaskEntry*>(address);
  return entry->self == entry && entry->magic == detail::kTaskMagic ? entry : nullptr;
}

}  // namespace

const detail::TaskEntry* find_task(std::uint64_t function, bool named) {
  if (named) {
    Registry& all = registry();
    const std::lock_guard guard{all.mutex};
    const auto found = all.entries.find(function);
    return found == all.entries.end() ? nullptr : found->second;
  }
  return entry_at(function);
}

const detail::TaskEntry* TaskFinder::find_other(std::uint64_t function, bool named) {
  if (named) return find_task(function, true);
  entry_ = entry_at(function);
  function_ = function;
  return entry_;
}

std::string task_name(std::uint64_t function, bool named) {
  if (named) {
    Registry& all = registry();
    const std::lock_guard guard{all.mutex};
    const auto found = all.names.find(function);
    if (found != all.names.end()) return found->second;
  } else if (const detail::TaskEntry* const entry = entry_at(function)) {
    return entry->name();
  }
  return "task " + hexadecimal(function);
}

std::string describe_unknown_task(bool named) {
  const std::string binary = "the worker's binary " + process::main_module().path;
  if (named) {
    return binary +
           " has no task of this name, or has it with other argument or result types: register it there with "
           "WEFT_TASK(name, function)";
  }
  return binary +
         " does not contain it: a task for another binary must be named, WEFT_TASK(name, "
         "function) there and weft::named<Result(Arguments...)>(\"name\") here; a task of a plug-in needs "
         "the plug-in "
         "loaded there";
}

}  // namespace work
}  // namespace weft
