#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace weft_cli {

/// The program's exit codes. A run that a signal stopped ends with 128 + its number, as shells have it.
constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;  ///< something failed, or nothing could be done
constexpr int kExitUsage = 2;   ///< the command line does not hold; nothing was started

enum class Command { thumbnails, pages, top };

/// The command line, checked.
struct Options {
  Command command = Command::thumbnails;
  std::vector<std::string> inputs{};
  std::optional<std::size_t> workers{};  ///< as many as the pool finds right, if not said
  int width = 256;                       ///< pixels
  int dpi = 150;
  std::string out{};
  std::string format = "jpg";  ///< jpg, png or webp
  bool json = false;
  std::optional<std::int64_t> pid{};  ///< top: this program alone
  double interval = 1;                ///< top: seconds between two looks
  bool once = false;                  ///< top
  std::string crash_on{};             ///< a test aid: the picture of this file name takes its worker down
};

/// What to do, or the code to exit with at once: help was printed, or one line on stderr that says what is wrong.
std::variant<Options, int> parse_options(int argc, char** argv);

}  // namespace weft_cli
