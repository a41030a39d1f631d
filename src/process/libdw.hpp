#pragma once
// elfutils' libdw, loaded when the first trace is to be named and not when the program starts: with the five
// libraries that it needs it would make every start of a worker 0.8 ms slower (1.5 ms without it), for
// something that hardly ever happens. Nothing else is lost: where it is not installed, traces have modules
// and offsets only.

#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>

// The functions that are used of it, each with the name and type that the headers give it.
#define WEFT_LIBDW_FUNCTIONS(X)   \
  X(elf_version)                  \
  X(dwfl_begin)                   \
  X(dwfl_end)                     \
  X(dwfl_report_begin)            \
  X(dwfl_report_elf)              \
  X(dwfl_report_end)              \
  X(dwfl_standard_find_debuginfo) \
  X(dwfl_build_id_find_debuginfo) \
  X(dwfl_addrmodule)              \
  X(dwfl_module_addrdie)          \
  X(dwfl_module_addrname)         \
  X(dwfl_module_nextcu)           \
  X(dwarf_haspc)                  \
  X(dwarf_getsrc_die)             \
  X(dwarf_linesrc)                \
  X(dwarf_lineno)                 \
  X(dwarf_attr)                   \
  X(dwarf_attr_integrate)         \
  X(dwarf_formstring)             \
  X(dwarf_formudata)              \
  X(dwarf_diename)                \
  X(dwarf_filesrc)                \
  X(dwarf_getsrcfiles)            \
  X(dwarf_getscopes)              \
  X(dwarf_getscopes_die)          \
  X(dwarf_tag)

namespace weft::process {

struct Libdw {
#define WEFT_DECLARE(name) decltype(&::name) name = nullptr;
  WEFT_LIBDW_FUNCTIONS(WEFT_DECLARE)
#undef WEFT_DECLARE
};

/// The library, loaded once and never unloaded; nullptr where it is missing or lacks a function. Threads:
/// any.
const Libdw* libdw();

}  // namespace weft::process
