#include "picture.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <stdexcept>
#include <system_error>

#include "vips_session.hpp"

namespace weft_cli {
namespace {

struct GlibFree {
  void operator()(void* memory) const noexcept { g_free(memory); }
};

struct Encoded {
  std::unique_ptr<void, GlibFree> memory;
  std::size_t size = 0;

  [[nodiscard]] std::span<const char> bytes() const { return {static_cast<const char*>(memory.get()), size}; }
};

struct AreaUnref {
  void operator()(VipsArrayDouble* area) const noexcept { vips_area_unref(VIPS_AREA(area)); }
};

/// vips_webpsave writes the colour profile, some kilobytes, even where it is told to strip. The picture is sRGB, which
/// is what everybody takes one without a profile for.
Image without_profile(VipsImage* image) {
  VipsImage* plain = nullptr;
  if (vips_copy(image, &plain, nullptr) != 0) throw std::runtime_error{take_vips_message()};
  vips_image_remove(plain, VIPS_META_ICC_NAME);
  return Image{plain};
}

/// Into memory first: a codec that fails or crashes has then touched no file.
Encoded encode(VipsImage* image, const std::string& format) {
  void* memory = nullptr;
  std::size_t size = 0;
  int failed = 0;
  if (format == "png") {
    failed = vips_pngsave_buffer(image, &memory, &size, "strip", TRUE, nullptr);
  } else if (format == "webp") {
    failed = vips_webpsave_buffer(image, &memory, &size, "Q", 82, "strip", TRUE, nullptr);
  } else {  // What was transparent becomes white, as on paper.
    const std::unique_ptr<VipsArrayDouble, AreaUnref> white{vips_array_double_newv(1, 255.0)};
    failed = vips_jpegsave_buffer(image, &memory, &size, "Q", 85, "strip", TRUE, "optimize_coding", TRUE,
                                  "background", white.get(), nullptr);
  }
  Encoded encoded{std::unique_ptr<void, GlibFree>{memory}, size};
  if (failed != 0) throw std::runtime_error{take_vips_message()};
  return encoded;
}

[[noreturn]] void cannot_write(const std::string& path, int error) {
  throw std::runtime_error{fmt::format("cannot write {}: {}", path, std::strerror(error))};
}

/// 0, or the errno.
int write_whole(const std::string& path, std::span<const char> bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) return errno;
  int error = 0;
  while (!bytes.empty() && error == 0) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (::close(file) != 0 && error == 0) error = errno;
  return error;
}

void write_file(const Destination& destination, std::span<const char> bytes) {
  std::error_code unmade;
  std::filesystem::create_directories(std::filesystem::path{destination.path}.parent_path(), unmade);
  if (unmade) cannot_write(destination.path, unmade.value());
  int error = write_whole(destination.temporary, bytes);
  if (error == 0 && std::rename(destination.temporary.c_str(), destination.path.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(destination.temporary.c_str());
    cannot_write(destination.path, error);
  }
}

}  // namespace

Picture write_picture(VipsImage* image, const Destination& destination) {
  const Encoded encoded = encode(without_profile(image).get(), destination.format);
  Picture picture{.width = vips_image_get_width(image),
                  .height = vips_image_get_height(image),
                  .bytes = encoded.size,
                  .note = *vips_error_buffer() != '\0' ? take_vips_message() : ""};
  write_file(destination, encoded.bytes());
  return picture;
}

}  // namespace weft_cli
