#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "picture_files.hpp"

namespace weft_cli {

/// Where each file's picture goes, no two to one place: below `out` as the file lies in its folder, with the ending
/// of `format` ("mate/aqua.png" -> "mate/aqua.jpg"). Files that differ in their endings alone keep them
/// ("aqua.png.jpg", "aqua.gif.jpg"); what is still taken then gets a number ("aqua.png-2.jpg").
std::vector<std::filesystem::path> name_thumbnails(const std::vector<SourceFile>& files,
                                                   const std::filesystem::path& out,
                                                   const std::string& format);

/// A folder for each PDF, of its name without the ending, no two the same.
std::vector<std::filesystem::path> name_page_folders(const std::vector<SourceFile>& files,
                                                     const std::filesystem::path& out);

/// The name of the `number`th (from 1) page's picture, of `count`: "page-007.jpg", in as many digits as sort well.
std::string name_page(int number, int count, const std::string& format);

/// The name under which `path` is written before it is whole: in its folder, of this process, and hidden.
std::filesystem::path temporary_name(const std::filesystem::path& path, std::size_t index);

/// Makes the folder `out` if it is not there. Empty if files can be made in it, else the reason why not.
std::string prepare_folder(const std::filesystem::path& out);

}  // namespace weft_cli
