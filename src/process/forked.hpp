#pragma once

namespace weft::process {

/// From here on a child that the program makes by fork() knows that it is one. Called before the first thread of weft's
/// own is started; again is harmless.
void watch_forks() noexcept;

namespace detail {
// Written once, by the only thread of a forked child before it runs anything else.
extern bool is_forked;
}  // namespace detail

/// True in a child that was forked off a program that uses weft. It has none of weft's threads, a hole in place of the
/// shared memory, and descriptors that speak for its parent: it must touch none of them. Costs one load.
[[nodiscard]] inline bool in_forked_child() noexcept { return detail::is_forked; }

}  // namespace weft::process
