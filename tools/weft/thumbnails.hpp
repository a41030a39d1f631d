#pragma once

#include <string>

#include "options.hpp"
#include "picture.hpp"

namespace weft_cli {

/// A task: one picture, made smaller.
struct Thumbnail {
  std::string input{};
  Destination destination{};
  int width = 0;
  bool crash = false;  ///< a test aid: get a SIGSEGV instead

  Picture run() const;
};

/// `weft thumbnails`. Returns the exit code.
int make_thumbnails(const Options& options);

}  // namespace weft_cli
