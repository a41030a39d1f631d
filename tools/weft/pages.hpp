#pragma once

#include <string>

#include "options.hpp"
#include "picture.hpp"

namespace weft_cli {

/// A task: how many pages a PDF has.
struct PageCount {
  std::string input{};

  int run() const;
};

/// A task: a picture of one page.
struct Page {
  std::string input{};
  int number = 0;  ///< from 1
  int dpi = 0;
  Destination destination{};

  Picture run() const;
};

/// `weft pages`. Returns the exit code.
int make_pages(const Options& options);

}  // namespace weft_cli
