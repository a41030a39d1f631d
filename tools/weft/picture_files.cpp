#include "picture_files.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <system_error>

namespace weft_cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 20> kEndings{
    ".jpg",  ".jpeg", ".jpe", ".png",  ".webp", ".gif", ".tif", ".tiff", ".heic", ".heif",
    ".avif", ".jxl",  ".svg", ".svgz", ".jp2",  ".j2k", ".ppm", ".pgm",  ".pbm",  ".pnm",
};

bool ends_as_a_picture(const fs::path& path) {
  std::string ending = path.extension().string();
  for (char& letter : ending) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return std::ranges::find(kEndings, ending) != kEndings.end();
}

/// A name for a folder that was given as "photos/", "." or "/".
fs::path own_name(const fs::path& folder) {
  std::error_code error;
  const fs::path absolute = fs::weakly_canonical(folder, error);
  return absolute.has_filename() ? absolute.filename() : fs::path{"root"};
}

class Search {
 public:
  explicit Search(fs::path out) : out_{std::move(out)} {}

  /// All below `root`; their pictures go below `prefix`.
  void folder(const fs::path& root, const fs::path& prefix) {
    std::vector<fs::path> open{fs::path{}};  // Relative to root.
    while (!open.empty()) {
      const fs::path relative = std::move(open.back());
      open.pop_back();
      std::vector<fs::path> below = entries(root, relative, prefix);
      open.insert(open.end(), below.begin(), below.end());
    }
  }

  void file(const fs::path& path, const fs::path& relative) {
    std::error_code error;
    if (!seen_.insert(fs::absolute(path, error).lexically_normal()).second) return;
    const std::uintmax_t bytes = fs::file_size(path, error);  // What cannot be opened, the task will say.
    found_.files.push_back({path, relative, error ? 0 : static_cast<std::uint64_t>(bytes)});
  }

  void problem(const std::string& path, std::string reason) {
    found_.problems.push_back({path, std::move(reason)});
  }

  Found take() && {
    std::ranges::sort(found_.files, {}, &SourceFile::path);
    std::ranges::sort(found_.problems, {}, &Problem::path);
    return std::move(found_);
  }

 private:
  /// Takes the pictures of one folder, and returns the folders in it.
  std::vector<fs::path> entries(const fs::path& root, const fs::path& relative, const fs::path& prefix) {
    const fs::path folder = relative.empty() ? root : root / relative;
    std::vector<fs::path> below;
    std::error_code error;
    fs::directory_iterator entry{folder, error};
    while (!error && entry != fs::directory_iterator{}) {
      const fs::path name = entry->path().filename();
      std::error_code unknown;
      const bool hidden = name.native().starts_with('.');
      const bool link = entry->is_symlink(unknown);
      if (!hidden && entry->is_directory(unknown)) {
        if (!link && !fs::equivalent(entry->path(), out_, unknown)) below.push_back(relative / name);
      } else if (!hidden && ends_as_a_picture(name) && (link || entry->is_regular_file(unknown))) {
        file(folder / name, prefix / relative / name);
      }
      entry.increment(error);
    }
    if (error) problem(folder.string(), error.message());
    return below;
  }

  fs::path out_;
  Found found_;
  std::set<fs::path> seen_;
};

/// Below which prefix the pictures of each folder go: one folder needs none.
std::map<fs::path, fs::path> prefixes(const std::set<fs::path>& folders) {
  std::map<fs::path, fs::path> chosen;
  if (folders.size() == 1) chosen[*folders.begin()] = fs::path{};
  std::set<fs::path> taken;
  for (const fs::path& folder : folders) {
    if (chosen.contains(folder)) continue;
    const fs::path name = own_name(folder);
    fs::path prefix = name;
    for (int number = 2; !taken.insert(prefix).second; ++number) {
      prefix = name.native() + "-" + std::to_string(number);
    }
    chosen[folder] = prefix;
  }
  return chosen;
}

}  // namespace

Found find_pictures(const std::vector<std::string>& inputs, const fs::path& out) {
  Search search{out};
  std::set<fs::path> folders;
  for (const std::string& input : inputs) {
    std::error_code error;
    const fs::file_status status = fs::status(input, error);
    if (fs::is_directory(status)) {
      folders.insert(fs::path{input}.lexically_normal());
    } else if (fs::is_regular_file(status)) {
      search.file(input, fs::path{input}.filename());
    } else if (error) {
      search.problem(input, error.message());
    } else {
      search.problem(input, "is neither a folder nor a file");
    }
  }
  for (const auto& [folder, prefix] : prefixes(folders)) search.folder(folder, prefix);
  return std::move(search).take();
}

Found find_files(const std::vector<std::string>& inputs) {
  Search search{fs::path{}};
  for (const std::string& input : inputs) {
    std::error_code error;
    const fs::file_status status = fs::status(input, error);
    if (fs::is_regular_file(status)) {
      search.file(input, fs::path{input}.filename());
    } else if (fs::is_directory(status)) {
      search.problem(input, "is a folder; name the PDF files in it");
    } else {
      search.problem(input, error ? error.message() : "is no file");
    }
  }
  return std::move(search).take();
}

}  // namespace weft_cli
