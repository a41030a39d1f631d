// plugins PLUGIN.so: runs tasks that a plug-in brings along. The workers load it before their first task.

#include <dlfcn.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <weft/weft.hpp>

namespace {

void load_plugin() {
  if (::dlopen(std::getenv("PLUGIN"), RTLD_NOW) == nullptr) throw std::runtime_error{::dlerror()};
}

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

void by_name() {
  weft::Pool pool{{.limit = 2, .worker = {.initializer = weft::initializer<load_plugin>}}};
  const auto count_words = weft::named<std::size_t(std::string)>("count_words");
  const std::size_t three = pool.submit(count_words, "warp and weft").get();
  require(three == 3, "the plug-in's task has counted");
}

/// Functions of a plug-in that this process has loaded too are known by their place in it.
void by_function(weft::WorkerKind kind) {
  void* const plugin = ::dlopen(std::getenv("PLUGIN"), RTLD_NOW);
  require(plugin != nullptr, "the plug-in is here");
  const auto sum_of_squares = reinterpret_cast<int (*)(weft::Pool&, int)>(::dlsym(plugin, "sum_of_squares"));
  require(sum_of_squares != nullptr, "and has its function");
  weft::Pool pool{{.limit = 2, .worker = {.kind = kind, .initializer = weft::initializer<load_plugin>}}};
  require(sum_of_squares(pool, 3) == 14, "a function of the plug-in ran in a worker");
}

/// Where nothing loads the plug-in the task is unknown, and the error says so.
void without_it() {
  weft::Pool pool{{.limit = 1}};
  try {
    static_cast<void>(pool.submit(weft::named<std::size_t(std::string)>("count_words"), "warp").get());
    require(false, "nobody knows it");
  } catch (const weft::UnknownTask& error) {
    require(std::string{error.what()}.find("count_words") != std::string::npos, "its name is told");
  }
}

void with_one_that_is_not_there() {
  ::setenv("PLUGIN", "./no_such_plugin.so", 1);
  weft::Pool pool{{.limit = 1, .worker = {.initializer = weft::initializer<load_plugin>}}};
  try {
    static_cast<void>(pool.submit(weft::named<std::size_t(std::string)>("count_words"), "warp").get());
    require(false, "the workers cannot start");
  } catch (const weft::StartFailed& error) {
    require(std::string{error.what()}.find("no_such_plugin.so") != std::string::npos,
            "what is missing is told");
  }
}

}  // namespace

int main(int argc, char** argv) {
  weft::init(argc, argv);
  require(argc == 2, "plugins PLUGIN.so");
  ::setenv("PLUGIN", argv[1], 1);
  without_it();
  by_name();
  for (const auto kind : {weft::WorkerKind::exec, weft::WorkerKind::zygote, weft::WorkerKind::thread})
    by_function(kind);
  with_one_that_is_not_there();
  std::printf("3 words, 14\n");
}
