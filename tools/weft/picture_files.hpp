#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace weft_cli {

/// A file that was found or named.
struct SourceFile {
  std::filesystem::path path{};  ///< as the user would write it
  std::filesystem::path
      relative{};  ///< where its picture goes below the output folder, still under its own name
  std::uint64_t bytes = 0;
};

/// A folder or file that nothing can be made of.
struct Problem {
  std::string path{};
  std::string reason{};
};

struct Found {
  std::vector<SourceFile> files{};
  std::vector<Problem> problems{};
};

/// The pictures of all `inputs`: of folders, all below them that end as pictures do (links to folders are not
/// followed, names that begin with a dot and the folder `out` are passed over); files as they are. In the order of
/// their names, each once.
Found find_pictures(const std::vector<std::string>& inputs, const std::filesystem::path& out);

/// `inputs`, which are all files.
Found find_files(const std::vector<std::string>& inputs);

}  // namespace weft_cli
