#pragma once

namespace weft::work {

/// Throws NotInitialized unless weft::init was called, and Error where workers nest too deep.
void require_initialized();

/// Throws Error in a child that was forked off a program that uses weft. One load.
void require_unforked();

}  // namespace weft::work
