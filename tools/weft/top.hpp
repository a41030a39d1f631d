#pragma once

#include "options.hpp"

namespace weft_cli {

/// `weft top`: what weft's programs of this user do, until Ctrl-C. Returns the exit code.
int show_top(const Options& options);

}  // namespace weft_cli
