#include "process/libdw.hpp"

#include <dlfcn.h>

namespace weft::process {

namespace {

template <class Function>
bool load(void* library, const char* name, Function& function) noexcept {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

const Libdw* load_libdw() {
  // Found in libdw or, as dlsym looks there too, in the libelf that it needs.
  void* const library = ::dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return nullptr;
  static Libdw functions;
  bool complete = true;
#define WEFT_LOAD(name) complete = load(library, #name, functions.name) && complete;
  WEFT_LIBDW_FUNCTIONS(WEFT_LOAD)
#undef WEFT_LOAD
  return complete ? &functions : nullptr;
}

}  // namespace

const Libdw* libdw() {
  static const Libdw* const library = load_libdw();
  return library;
}

}  // namespace weft::process
