#pragma once

#include <vips/vips.h>

#include <cstdint>
#include <string>

namespace weft_cli {

/// Where a picture goes. The parent chooses both names, so that it can clear the temporary one away whatever became
/// of the worker.
struct Destination {
  std::string path{};
  std::string temporary{};  ///< in the same folder, since it is renamed
  std::string format{};     ///< jpg, png or webp
};

/// What a task answers: the picture itself it has written to its file.
struct Picture {
  int width = 0;
  int height = 0;
  std::uint64_t bytes = 0;
  double seconds = 0;  ///< that the task took
  std::string note{};  ///< what the codec complained of while it could go on
};

/// Computes `image`, encodes it and writes it. The file appears under its name whole or not at all: it is written
/// under the temporary one and renamed. Folders on the way are made.
/// Throws std::runtime_error with the reason: the picture is damaged, or the file cannot be written.
Picture write_picture(VipsImage* image, const Destination& destination);

}  // namespace weft_cli
