#pragma once

namespace weft::work {

/// Throws NotInitialized unless weft::init was called, and Error where workers nest too deep.
void require_initialized();

}  // namespace weft::work
