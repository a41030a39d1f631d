#include <exception>
#include <string_view>
#include <variant>
#include <weft/init.hpp>

#include "bench.hpp"
#include "options.hpp"
#include "pages.hpp"
#include "progress.hpp"
#include "thumbnails.hpp"
#include "top.hpp"
#include "wording.hpp"

namespace {

int run(int argc, char** argv) {
  if (argc > 1 && std::string_view{argv[1]} == "bench") return weft_cli::become_bench(argv + 1);
  const auto parsed = weft_cli::parse_options(argc, argv);
  if (const int* const code = std::get_if<int>(&parsed)) return *code;
  const auto& options = std::get<weft_cli::Options>(parsed);
  if (options.command == weft_cli::Command::top) return weft_cli::show_top(options);
  return options.command == weft_cli::Command::thumbnails ? weft_cli::make_thumbnails(options)
                                                          : weft_cli::make_pages(options);
}

}  // namespace

int main(int argc, char** argv) {
  weft::init(argc, argv);  // In a worker this never returns.
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    weft_cli::print_problem(weft_cli::printable(error.what()));
    return weft_cli::kExitFailed;
  }
}
