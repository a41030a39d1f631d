#include "work/throw_trace.hpp"

#include <cxxabi.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <string_view>
#include <typeinfo>

#include "process/module.hpp"
#include "process/symbolize.hpp"
#include "wire/failure.hpp"

namespace weft::work {

namespace {

/// The last throw that came by. One is enough: between the search and the handler the thread runs destructors alone,
/// and where one of those lets another task throw (it suspended its fiber), `object` tells the two apart.
struct Noted {
  const void* object = nullptr;
  std::size_t count = 0;
  std::array<std::uintptr_t, wire::kFailureCountersMax> frames;
};
thread_local Noted noted;

#if defined(__GLIBCXX__)

_Unwind_Reason_Code note_frame(_Unwind_Context* context, void*) {
  if (noted.count == noted.frames.size()) return _URC_END_OF_STACK;
  noted.frames[noted.count++] = _Unwind_GetIP(context);
  return _URC_NO_REASON;
}

#endif

bool holds_one_of(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return text.find(part) != text.npos; });
}

/// What __do_catch() was told: of a pointer that was thrown, the pointer.
const void* object_of(const std::exception_ptr& exception) {
  static_assert(sizeof exception == sizeof(void*), "libstdc++'s exception_ptr is the object's address");
  void* object = nullptr;
  std::memcpy(&object, &exception, sizeof object);
  const std::type_info* const type = abi::__cxa_current_exception_type();
  if (type != nullptr && type->__is_pointer_p()) std::memcpy(&object, object, sizeof object);
  return object;
}

}  // namespace

#if defined(__GLIBCXX__)
// Not in the unnamed namespace: what is of a type in there is no symbol for other files.
class ProbeType final : public std::type_info {
 public:
  explicit ProbeType(const char* name) : std::type_info{name} {}
  bool __do_catch(const std::type_info*, void** thrown, unsigned) const override {
    noted.object = *thrown;
    noted.count = 0;
    _Unwind_Backtrace(note_frame, nullptr);
    return false;
  }
};

/// The type_info of ThrowProbe, by the name that every C++ compiler for Linux gives it.
[[gnu::visibility("hidden")]] extern const ProbeType probe_type __asm__("_ZTIN4weft4work10ThrowProbeE");
const ProbeType probe_type{"N4weft4work10ThrowProbeE"};
#endif

std::vector<std::uint64_t> thrown_at(const std::exception_ptr& exception) {
  if (noted.object == nullptr || noted.object != object_of(exception)) return {};
  std::vector<std::uint64_t> ids;
  ids.reserve(noted.count);
  for (std::size_t i = 0; i < noted.count; ++i)
    ids.push_back(process::code_id(reinterpret_cast<const void*>(noted.frames[i])));
  return ids;
}

std::string format_throw(std::span<const std::uint64_t> code_ids) {
  std::vector<void*> addresses;
  for (const std::uint64_t id : code_ids) {
    const void* const address = process::code_address(id);
    // The first is in weft itself: where that is another build, the worker is another program, and nothing of it is known.
    if (address == nullptr && addresses.empty()) return {};
    if (address != nullptr) addresses.push_back(const_cast<void*>(address));
  }
  std::vector<process::Frame> frames = process::symbolize_local(addresses);
  // What lies inside the throw and around the task is the same for all, and tells nobody anything.
  const auto task_end = std::find_if(frames.begin(), frames.end(), [](const process::Frame& frame) {
    return holds_one_of(frame.function, {"weft::detail::invoke_with<", "::invoke(weft::detail::TaskCall&)",
                                         "weft::work::RunningTask::run", "weft::work::WorkerLoop::"});
  });
  const auto called_by =
      std::find_if(std::reverse_iterator{task_end}, frames.rend(), [](const process::Frame& frame) {
        return !holds_one_of(frame.function, {"std::__invoke", "std::invoke<"});
      });
  const auto thrown_by = std::find_if(called_by, frames.rend(), [](const process::Frame& frame) {
    return holds_one_of(frame.function, {"__cxa_throw", "__cxa_rethrow", "_Unwind_RaiseException",
                                         "_Unwind_Resume_or_Rethrow", "std::rethrow_exception"});
  });
  return process::format_trace({thrown_by.base(), called_by.base()});
}

}  // namespace weft::work
