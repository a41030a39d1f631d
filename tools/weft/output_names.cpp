#include "output_names.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <system_error>

namespace weft_cli {
namespace {

namespace fs = std::filesystem;

/// `wanted` + `ending`, or with the first number that makes it new.
fs::path claim(std::set<fs::path>& taken, const fs::path& wanted, const std::string& ending) {
  fs::path name = wanted.native() + ending;
  for (int number = 2; !taken.insert(name).second; ++number) {
    name = fmt::format("{}-{}{}", wanted.native(), number, ending);
  }
  return name;
}

}  // namespace

std::vector<fs::path> name_thumbnails(const std::vector<SourceFile>& files, const fs::path& out,
                                      const std::string& format) {
  const auto without_ending = [](const SourceFile& file) {
    return file.relative.parent_path() / file.relative.stem();
  };
  std::map<fs::path, int> wishes;
  for (const SourceFile& file : files) ++wishes[without_ending(file)];

  // Those who are alone in their wish come first, so that nobody else's number or ending takes it from them.
  std::set<fs::path> taken;
  std::vector<fs::path> names(files.size());
  for (const bool alone : {true, false}) {
    for (std::size_t i = 0; i < files.size(); ++i) {
      const fs::path wish = without_ending(files[i]);
      if ((wishes[wish] == 1) != alone) continue;
      names[i] = out / claim(taken, alone ? wish : files[i].relative, "." + format);
    }
  }
  return names;
}

std::vector<fs::path> name_page_folders(const std::vector<SourceFile>& files, const fs::path& out) {
  std::set<fs::path> taken;
  std::vector<fs::path> names;
  names.reserve(files.size());
  for (const SourceFile& file : files) names.push_back(out / claim(taken, file.relative.stem(), ""));
  return names;
}

std::string name_page(int number, int count, const std::string& format) {
  const std::size_t digits = std::max<std::size_t>(3, std::to_string(count).size());
  return fmt::format("page-{:0{}}.{}", number, digits, format);
}

fs::path temporary_name(const fs::path& path, std::size_t index) {
  return path.parent_path() / fmt::format(".weft-{}-{}.part", ::getpid(), index);
}

std::string prepare_folder(const fs::path& out) {
  std::error_code error;
  fs::create_directories(out, error);
  if (error) return error.message();
  if (!fs::is_directory(out, error)) return "is no folder";
  return ::access(out.c_str(), W_OK | X_OK) == 0 ? "" : std::strerror(errno);
}

}  // namespace weft_cli
