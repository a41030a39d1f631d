#include "options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <climits>
#include <cstdio>
#include <string_view>

#include "wording.hpp"

namespace weft_cli {
namespace {

constexpr int kWorkersMax = 1024;
constexpr int kWidthMax = 16383;  // What WebP can hold, the least of the three formats.
constexpr int kDpiMax = 2400;

/// CLI11's own conversions take "0x10" and " 3" and answer with the names of C++ types.
CLI::Validator whole_number(int lowest, int highest) {
  const auto check = [lowest, highest](const std::string& text) {
    int value = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc{} && stopped == end && value >= lowest && value <= highest) return std::string{};
    return fmt::format("'{}' is not a whole number from {} to {}", printable(text), lowest, highest);
  };
  return CLI::Validator{check, ""};
}

CLI::Validator seconds(double shortest, double longest) {
  const auto check = [shortest, longest](const std::string& text) {
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc{} && stopped == end && value >= shortest && value <= longest) return std::string{};
    return fmt::format("'{}' is not a number of seconds from {} to {}", printable(text), shortest, longest);
  };
  return CLI::Validator{check, ""};
}

CLI::Validator one_of_the_formats() {
  const auto check = [](const std::string& text) {
    if (text == "jpg" || text == "png" || text == "webp") return std::string{};
    return fmt::format("'{}' is none of jpg, png and webp", printable(text));
  };
  return CLI::Validator{check, ""};
}

void add_common(CLI::App& command, Options& options) {
  command
      .add_option("--workers", options.workers,
                  "Worker processes; as many as there are processors for this program if not said")
      ->check(whole_number(1, kWorkersMax))
      ->type_name("N");
  command.add_option("--out", options.out, "The folder for the pictures; made if it is not there")
      ->capture_default_str()
      ->type_name("FOLDER");
  command.add_option("--format", options.format, "jpg, png or webp")
      ->check(one_of_the_formats())
      ->capture_default_str()
      ->type_name("FORMAT");
  command.add_flag("--json", options.json, "Print the report as JSON");
}

/// CLI11 can end a message with a full stop and break it into lines; the program says one line.
int refuse(const CLI::App& app, const std::string& message) {
  std::string command = "weft";
  for (const CLI::App* chosen : app.get_subcommands()) command += " " + chosen->get_name();
  fmt::print(stderr, "{}: {} (see {} --help)\n", command, printable(message), command);
  return kExitUsage;
}

}  // namespace

std::variant<Options, int> parse_options(int argc, char** argv) {
  Options thumbnails{.command = Command::thumbnails, .out = "thumbnails"};
  Options pages{.command = Command::pages, .out = "pages"};
  Options top{.command = Command::top};

  CLI::App app{
      "Makes thumbnails of pictures and pictures of PDF pages, in worker processes; measures what that "
      "costs, and shows what programs with such workers are doing.",
      "weft"};
  app.set_version_flag("--version", "weft " WEFT_VERSION);
  app.require_subcommand(0, 1);

  CLI::App* const thumbnails_command = app.add_subcommand("thumbnails", "Make a thumbnail of each picture");
  thumbnails_command
      ->add_option(
          "FOLDER", thumbnails.inputs,
          "Folders, searched with all that is below them for pictures (by their endings; names that\n"
          "begin with a dot are passed over), or single pictures, whatever their names")
      ->required()
      ->type_name("");
  thumbnails_command->add_option("--width", thumbnails.width, "Pixels; smaller pictures keep their size")
      ->check(whole_number(1, kWidthMax))
      ->capture_default_str()
      ->type_name("N");
  thumbnails_command
      ->add_option(
          "--crash-on", thumbnails.crash_on,
          "A test aid: the worker that makes the thumbnail of the file of this name gets a real SIGSEGV")
      ->type_name("NAME");
  add_common(*thumbnails_command, thumbnails);

  CLI::App* const pages_command = app.add_subcommand("pages", "Make a picture of each page of PDF files");
  pages_command->add_option("FILE.pdf", pages.inputs, "PDF files")->required()->type_name("");
  pages_command->add_option("--dpi", pages.dpi, "Pixels an inch")
      ->check(whole_number(1, kDpiMax))
      ->capture_default_str()
      ->type_name("N");
  add_common(*pages_command, pages);

  CLI::App* const top_command =
      app.add_subcommand("top", "Show what weft's programs and their workers are doing");
  top_command->add_option("PID", top.pid, "The program to look at; all of this user if not said")
      ->check(whole_number(1, INT_MAX))
      ->type_name("");
  top_command->add_option("--interval", top.interval, "Seconds between two looks")
      ->check(seconds(0.1, 3600))
      ->capture_default_str()
      ->type_name("SECONDS");
  top_command->add_flag("--once", top.once, "Print one look, over one interval, and end");
  top_command->add_flag("--json", top.json, "Print JSON: with --once a document, else a line for each look");

  // Never parsed here: become_bench() comes before.
  app.add_subcommand("bench", "Measure what inter-process communication costs on this machine");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app.exit(error);
    return refuse(app, error.what());
  }
  if (app.get_subcommands().empty()) return refuse(app, "say what to do: thumbnails, pages, top or bench");
  if (top_command->parsed()) return top;
  return thumbnails_command->parsed() ? thumbnails : pages;
}

}  // namespace weft_cli
