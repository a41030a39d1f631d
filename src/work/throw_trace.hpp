#pragma once

#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <vector>

namespace weft::work {

/// Nobody throws one. A `catch (const ThrowProbe&)` above a `catch (...)` notes the stack of every exception that gets
/// there, and does not catch it: the search for a handler asks each catch clause whether it takes the exception, by a
/// virtual function of its type, while the stack of the throw is still there; only then is it unwound. The type_info of
/// this class is one of our own (throw_trace.cpp), which takes the note and says no. So what is not thrown costs nothing,
/// what the task catches itself costs nothing more, and no symbol of the C++ runtime is replaced.
///
/// The trick is that of cpptrace (github.com/jeremy-rifkin/cpptrace, from_current). Needs libstdc++; elsewhere there are
/// no traces.
class ThrowProbe {
 public:
  ThrowProbe() = delete;
  virtual ~ThrowProbe();  // never defined: so nobody but throw_trace.cpp defines the type_info
};

/// In a handler beside one of ThrowProbe: where `exception`, the one that is being handled, was thrown (or rethrown last),
/// the innermost first, as code ids (process/module.hpp); empty if that is not known. Threads: the one that caught it.
std::vector<std::uint64_t> thrown_at(const std::exception_ptr& exception);

/// The same in words, one frame a line, for people in another process of the same build; empty for those of another.
/// Blocks: reads files.
std::string format_throw(std::span<const std::uint64_t> code_ids);

}  // namespace weft::work
