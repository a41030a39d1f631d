#pragma once

#include "process/forked.hpp"

namespace weft::work {

/// Throws NotInitialized unless weft::init was called, and Error where workers nest too deep.
void require_initialized();

[[noreturn]] void throw_forked();
/// Throws Error in a child that was forked off a program that uses weft. One load.
inline void require_unforked() {
  if (process::in_forked_child()) [[unlikely]]
    throw_forked();
}

}  // namespace weft::work
