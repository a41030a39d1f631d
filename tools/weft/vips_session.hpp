#pragma once

#include <vips/vips.h>

#include <memory>
#include <string>

namespace weft_cli {

struct ImageUnref {
  void operator()(VipsImage* image) const noexcept { g_object_unref(image); }
};
using Image = std::unique_ptr<VipsImage, ImageUnref>;

/// Makes libvips ready in this process: one thread of its own, nothing cached (no file is looked at twice), only the
/// formats that the program promises, and nothing of it on stderr. Called by each task; only the first call in a
/// worker does anything. The parent never calls it, so it stays small.
/// Throws std::runtime_error where libvips cannot start.
void start_vips();

/// What libvips says about its last failure, in one line without the names of its own parts; empties its notebook.
std::string take_vips_message();

/// Throws std::runtime_error with the system's own reason (no such file, permission denied) if `path` cannot be
/// opened for reading, or if it is empty: libvips has no clear words for either.
void require_readable(const std::string& path);

}  // namespace weft_cli
