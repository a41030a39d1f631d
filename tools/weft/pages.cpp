#include "pages.hpp"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <variant>
#include <vector>

#include "job.hpp"
#include "output_names.hpp"
#include "picture_files.hpp"
#include "vips_session.hpp"
#include "wording.hpp"

namespace weft_cli {
namespace {

namespace fs = std::filesystem;

Image open_page(const std::string& input, int number, int dpi) {
  start_vips();
  require_readable(input);
  VipsImage* image = nullptr;
  const int failed =
      vips_pdfload(input.c_str(), &image, "page", number - 1, "dpi", static_cast<double>(dpi), nullptr);
  if (failed != 0) throw std::runtime_error{take_vips_message()};
  return Image{image};
}

/// The number of pages of each file, 0 where that could not be found out.
std::vector<int> count_pages(Job& job, const std::vector<SourceFile>& files, Report& report) {
  std::vector<PageCount> tasks;
  tasks.reserve(files.size());
  for (const SourceFile& file : files) tasks.push_back({file.path});
  std::vector<int> counts(files.size(), 0);
  Progress progress{"PDF", files.size()};
  job.run(tasks, progress, [&](std::size_t index, const std::variant<int, Failure>& result) {
    const std::string name = printable(files[index].path.string());
    if (const int* const count = std::get_if<int>(&result)) {
      counts[index] = *count;
      progress.done(fmt::format("{} has {}", name, counted(static_cast<std::size_t>(*count), "page")));
      return;
    }
    const auto& failure = std::get<Failure>(result);
    if (!failure.not_done) progress.failed(fmt::format("{}: {}", name, failure.reason), failure.trace);
    report.add({.input = files[index].path, .failure = failure});
  });
  return counts;
}

std::vector<Piece> pieces_of(const std::vector<SourceFile>& files, const std::vector<int>& counts,
                             const Options& options) {
  const std::vector<fs::path> folders = name_page_folders(files, options.out);
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (int number = 1; number <= counts[i]; ++number) {
      const fs::path path = folders[i] / name_page(number, counts[i], options.format);
      pieces.push_back({.input = files[i].path,
                        .page = number,
                        .destination = {path, temporary_name(path, pieces.size()), options.format}});
    }
  }
  return pieces;
}

}  // namespace

int PageCount::run() const {
  const Image first = open_page(input, 1, 72);
  return vips_image_get_n_pages(first.get());
}

Picture Page::run() const {
  const auto started = std::chrono::steady_clock::now();
  const Image image = open_page(input, number, dpi);
  Picture picture = write_picture(image.get(), destination);
  picture.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return picture;
}

int make_pages(const Options& options) {
  Report report{options};
  const Found found = find_files(options.inputs);
  for (const Problem& problem : found.problems) report.add_problem(problem.path, problem.reason);
  if (found.files.empty()) return report.finish({});
  if (const std::string reason = prepare_folder(options.out); !reason.empty()) {
    print_problem(fmt::format("--out {}: {}", printable(options.out), reason));
    return kExitFailed;
  }

  Job job{options};
  const std::vector<int> counts = count_pages(job, found.files, report);
  const std::vector<Piece> pieces = pieces_of(found.files, counts, options);
  std::vector<Page> tasks;
  tasks.reserve(pieces.size());
  for (const Piece& piece : pieces)
    tasks.push_back({piece.input, piece.page, options.dpi, piece.destination});
  make_pictures(job, pieces, tasks, "page", report);
  return report.finish(job.end());
}

}  // namespace weft_cli
