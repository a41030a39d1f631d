#include "thumbnails.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "job.hpp"
#include "output_names.hpp"
#include "picture_files.hpp"
#include "vips_session.hpp"
#include "wording.hpp"

namespace weft_cli {
namespace {

namespace fs = std::filesystem;

/// All volatile, or the compiler would see that the pointer is null and leave the store out.
__attribute__((noinline, no_sanitize("undefined"))) void crash_as_asked() {
  volatile int* volatile nowhere = nullptr;
  *nowhere = 1;
}

Image shrink(const std::string& input, int width) {
  VipsImage* image = nullptr;
  // A picture that breaks off would else become one with a grey rest.
  const int failed =
      vips_thumbnail(input.c_str(), &image, width, "height", VIPS_MAX_COORD, "size", VIPS_SIZE_DOWN,
                     "export_profile", "srgb", "fail_on", VIPS_FAIL_ON_ERROR, nullptr);
  if (failed != 0) throw std::runtime_error{take_vips_message()};
  return Image{image};
}

/// A file as the system knows it, whatever the path to it.
using Identity = std::pair<dev_t, ino_t>;
Identity identity(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino};
}

/// The pieces, but for those whose thumbnail would take the place of a picture that is read.
std::vector<Piece> pieces_of(const std::vector<SourceFile>& files, const Options& options, Report& report) {
  std::set<Identity> sources;
  for (const SourceFile& file : files) sources.insert(identity(file.path));
  sources.erase(Identity{});

  const std::vector<fs::path> names = name_thumbnails(files, options.out, options.format);
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (sources.contains(identity(names[i]))) {
      report.add_problem(files[i].path,
                         fmt::format("its thumbnail would overwrite the picture {}; choose another --out",
                                     printable(names[i].string())));
      continue;
    }
    pieces.push_back({.input = files[i].path,
                      .input_bytes = files[i].bytes,
                      .destination = {names[i], temporary_name(names[i], i), options.format}});
  }
  return pieces;
}

/// The folder that is read is also the one that is written to.
bool reads_its_own_output(const Options& options) {
  std::error_code error;
  for (const std::string& input : options.inputs) {
    if (fs::is_directory(input, error) && fs::equivalent(input, options.out, error)) return true;
  }
  return false;
}

}  // namespace

Picture Thumbnail::run() const {
  const auto started = std::chrono::steady_clock::now();
  start_vips();
  require_readable(input);
  const Image image = shrink(input, width);
  if (crash) crash_as_asked();
  Picture picture = write_picture(image.get(), destination);
  picture.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return picture;
}

int make_thumbnails(const Options& options) {
  if (reads_its_own_output(options)) {
    print_problem(
        fmt::format("--out {}: this is a folder to be read; choose another", printable(options.out)));
    return kExitUsage;
  }
  Report report{options};
  const Found found = find_pictures(options.inputs, options.out);
  for (const Problem& problem : found.problems) report.add_problem(problem.path, problem.reason);
  const std::vector<Piece> pieces = pieces_of(found.files, options, report);
  if (pieces.empty()) {
    if (found.problems.empty() && found.files.empty()) print_problem("no pictures found, nothing to do");
    return report.finish({});
  }
  if (const std::string reason = prepare_folder(options.out); !reason.empty()) {
    print_problem(fmt::format("--out {}: {}", printable(options.out), reason));
    return kExitFailed;
  }

  std::vector<Thumbnail> tasks;
  tasks.reserve(pieces.size());
  for (const Piece& piece : pieces) {
    const bool crash = !options.crash_on.empty() && fs::path{piece.input}.filename() == options.crash_on;
    tasks.push_back({piece.input, piece.destination, options.width, crash});
  }
  Job job{options};
  make_pictures(job, pieces, tasks, "picture", report);
  return report.finish(job.end());
}

}  // namespace weft_cli
