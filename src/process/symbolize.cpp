#include "process/symbolize.hpp"

#include <cxxabi.h>
#include <dwarf.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/unique_fd.hpp"
#include "process/libdw.hpp"
#include "process/maps.hpp"

namespace weft::process {

namespace {

struct Free {
  void operator()(void* memory) const noexcept { std::free(memory); }
};
struct EndDwfl {
  void operator()(Dwfl* dwfl) const noexcept { libdw()->dwfl_end(dwfl); }
};

std::string hex(std::uint64_t number) {
  std::string digits;
  do {
    digits.insert(digits.begin(), "0123456789abcdef"[number & 15]);
    number >>= 4;
  } while (number != 0);
  return "0x" + digits;
}

std::string demangled(const char* name) {
  if (name == nullptr) return {};
  int status = 0;
  const std::unique_ptr<char, Free> readable{abi::__cxa_demangle(name, nullptr, nullptr, &status)};
  return status == 0 && readable != nullptr ? readable.get() : name;
}

/// Every module is handed over open, so nothing has to be looked for.
int find_no_elf(Dwfl_Module*, void**, const char*, Dwarf_Addr, char**, Elf**) { return -1; }

/// libdw's own search asks debuginfod servers if the environment names any; the search by build id does not.
int find_debug_file(Dwfl_Module* module, void** user, const char* name, Dwarf_Addr base, const char* file,
                    const char* link, GElf_Word checksum, char** found) {
  const char* const servers = std::getenv("DEBUGINFOD_URLS");
  const bool offline = servers == nullptr || *servers == '\0';
  const auto find = offline ? libdw()->dwfl_standard_find_debuginfo : libdw()->dwfl_build_id_find_debuginfo;
  return find(module, user, name, base, file, link, checksum, found);
}

/// The path of a mapping, without what the kernel appends to it when the file has been replaced or removed:
/// nullopt then, since another build may lie there now - but for the program itself, which /proc/self/exe
/// still opens.
std::optional<std::string> path_to_open(const std::string& path) {
  char own[4096];
  const ssize_t length = ::readlink("/proc/self/exe", own, sizeof own);
  if (length > 0 && path == std::string_view{own, static_cast<std::size_t>(length)}) return "/proc/self/exe";
  if (!path.starts_with('/') || path.ends_with(" (deleted)")) return std::nullopt;
  return path;
}

/// The path comes out of a worker's memory: only regular files are opened, and opening one has no effect on
/// it.
base::UniqueFd open_module(const std::string& path) {
  const std::optional<std::string> place = path_to_open(path);
  if (!place) return {};
  base::UniqueFd file{::open(place->c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return file;
}

/// How far the module lies from where it was linked to: the mapping shows the file from `file_offset` on, and
/// the program headers say where that was to be.
std::optional<std::uint64_t> load_bias(int file, const Mapping& mapping) {
  ElfW(Ehdr) elf{};
  if (::pread(file, &elf, sizeof elf, 0) != static_cast<ssize_t>(sizeof elf)) return std::nullopt;
  if (!std::equal(elf.e_ident, elf.e_ident + SELFMAG, ELFMAG) || elf.e_phentsize != sizeof(ElfW(Phdr))) {
    return std::nullopt;
  }
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  for (std::size_t index = 0; index < elf.e_phnum; ++index) {
    ElfW(Phdr) header{};
    const auto at = static_cast<off_t>(elf.e_phoff + index * sizeof header);
    if (::pread(file, &header, sizeof header, at) != static_cast<ssize_t>(sizeof header)) return std::nullopt;
    if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
    const std::uint64_t first_page = header.p_offset & ~(page - 1);
    if (mapping.file_offset < first_page || mapping.file_offset - first_page > header.p_filesz) continue;
    return mapping.begin - (header.p_vaddr + mapping.file_offset - header.p_offset);
  }
  return std::nullopt;
}

const Mapping* mapping_of(const std::vector<Mapping>& mappings, std::uint64_t address) {
  for (const Mapping& mapping : mappings) {
    if (address >= mapping.begin && address < mapping.end) return &mapping;
  }
  return nullptr;
}

/// The modules of one process, as libdwfl sees them.
class Symbols {
 public:
  explicit Symbols(const std::vector<Mapping>& mappings) : mappings_{mappings}, biases_(mappings.size()) {
    if (dw_ != nullptr) {
      callbacks_.find_elf = find_no_elf;
      callbacks_.find_debuginfo = find_debug_file;
      static_cast<void>(dw_->elf_version(EV_CURRENT));
      dwfl_.reset(dw_->dwfl_begin(&callbacks_));
    }
    if (dwfl_ != nullptr) dw_->dwfl_report_begin(dwfl_.get());
    for (std::size_t index = 0; index < mappings.size(); ++index) biases_[index] = report(index);
    if (dwfl_ != nullptr) dw_->dwfl_report_end(dwfl_.get(), nullptr, nullptr);
  }

  /// Appends what is known about `address`: the functions inlined there, if any, and the one around them.
  /// `lookup` is an address within the instruction that is meant.
  void append(std::uint64_t address, std::uint64_t lookup, std::vector<Frame>& frames) const {
    Frame frame;
    frame.address = address;
    if (const Mapping* mapping = mapping_of(mappings_, lookup)) {
      const auto bias = biases_[static_cast<std::size_t>(mapping - mappings_.data())];
      frame.module = mapping->path;
      frame.offset = address - bias.value_or(mapping->begin - mapping->file_offset);
    }
    if (Dwfl_Module* const module = dwfl_ == nullptr ? nullptr : dw_->dwfl_addrmodule(dwfl_.get(), lookup)) {
      Dwarf_Addr bias = 0;
      if (Dwarf_Die* const unit = unit_of(module, lookup, bias)) {
        if (Dwarf_Line* const line = dw_->dwarf_getsrc_die(unit, lookup - bias)) {
          const char* const file = dw_->dwarf_linesrc(line, nullptr, nullptr);
          if (file != nullptr) frame.file = file;
          dw_->dwarf_lineno(line, &frame.line);
        }
        append_inlined(unit, lookup - bias, frame, frames);
      }
      if (frame.function.empty()) frame.function = demangled(dw_->dwfl_module_addrname(module, lookup));
    }
    frames.push_back(std::move(frame));
  }

 private:
  /// Tells libdwfl of the module that a mapping belongs to, and returns how far that lies from where it was
  /// linked to.
  std::optional<std::uint64_t> report(std::size_t index) {
    const Mapping& mapping = mappings_[index];
    base::UniqueFd file = open_module(mapping.path);
    if (!file) return std::nullopt;
    const std::optional<std::uint64_t> bias = load_bias(file.get(), mapping);
    if (!bias || dwfl_ == nullptr) return bias;
    // One file may have several executable mappings; reported once more it would not take the descriptor
    // over.
    for (std::size_t earlier = 0; earlier < index; ++earlier) {
      if (biases_[earlier] == bias && mappings_[earlier].path == mapping.path) return bias;
    }
    // Takes the descriptor over if it succeeds; fails if the file is damaged or overlaps another module.
    const char* const name = mapping.path.c_str();
    if (dw_->dwfl_report_elf(dwfl_.get(), name, name, file.get(), *bias, true) != nullptr) {
      static_cast<void>(file.release());
    }
    return bias;
  }

  /// The compilation unit that holds `lookup`. libdw looks in the table of address ranges, which Clang does
  /// not write: then each unit is asked for its own ranges.
  Dwarf_Die* unit_of(Dwfl_Module* module, std::uint64_t lookup, Dwarf_Addr& bias) const {
    Dwarf_Die* unit = dw_->dwfl_module_addrdie(module, lookup, &bias);
    if (unit != nullptr) return unit;
    while ((unit = dw_->dwfl_module_nextcu(module, unit, &bias)) != nullptr) {
      if (dw_->dwarf_haspc(unit, lookup - bias) > 0) return unit;
    }
    return nullptr;
  }

  /// The name of a function's entry, or of the inlined copy of one.
  std::string name_of(Dwarf_Die* entry) const {
    Dwarf_Attribute attribute;
    for (const unsigned kind : {unsigned{DW_AT_linkage_name}, unsigned{DW_AT_MIPS_linkage_name}}) {
      if (dw_->dwarf_attr_integrate(entry, kind, &attribute) != nullptr)
        return demangled(dw_->dwarf_formstring(&attribute));
    }
    const char* const name = dw_->dwarf_diename(entry);
    return name == nullptr ? std::string{} : name;
  }

  void set_call_site(Dwarf_Die* unit, Dwarf_Die* inlined, Frame& frame) const {
    Dwarf_Attribute attribute;
    Dwarf_Word number = 0;
    frame.file.clear();
    frame.line = 0;
    Dwarf_Files* files = nullptr;
    if (dw_->dwarf_formudata(dw_->dwarf_attr(inlined, DW_AT_call_file, &attribute), &number) == 0 &&
        dw_->dwarf_getsrcfiles(unit, &files, nullptr) == 0) {
      const char* const file = dw_->dwarf_filesrc(files, number, nullptr, nullptr);
      if (file != nullptr) frame.file = file;
    }
    if (dw_->dwarf_formudata(dw_->dwarf_attr(inlined, DW_AT_call_line, &attribute), &number) == 0) {
      frame.line = static_cast<int>(number);
    }
  }

  /// Appends a frame for each function that was inlined at `lookup`, from the innermost outwards, and leaves
  /// `frame` as the one around them.
  void append_inlined(Dwarf_Die* unit, Dwarf_Addr lookup, Frame& frame, std::vector<Frame>& frames) const {
    Dwarf_Die* raw = nullptr;
    if (dw_->dwarf_getscopes(unit, lookup, &raw) <= 0) return;
    const std::unique_ptr<Dwarf_Die, Free> scopes{raw};
    // Beyond an inlined function these scopes go on where it was defined; asked of the innermost entry alone,
    // they go on where it was inlined.
    Dwarf_Die innermost = scopes.get()[0];
    raw = nullptr;
    const int count = dw_->dwarf_getscopes_die(&innermost, &raw);
    const std::unique_ptr<Dwarf_Die, Free> chain{raw};
    for (int index = 0; index < count; ++index) {
      Dwarf_Die* const entry = chain.get() + index;
      const int tag = dw_->dwarf_tag(entry);
      if (tag == DW_TAG_subprogram) {
        frame.function = name_of(entry);
        return;
      }
      if (tag != DW_TAG_inlined_subroutine) continue;
      Frame inner = frame;
      inner.function = name_of(entry);
      inner.inlined = true;
      frames.push_back(std::move(inner));
      set_call_site(unit, entry, frame);
    }
  }

  const std::vector<Mapping>& mappings_;
  std::vector<std::optional<std::uint64_t>> biases_;  // of the mappings, in their order
  const Libdw* const dw_ = libdw();
  Dwfl_Callbacks callbacks_{};  // libdwfl keeps a pointer to it
  std::unique_ptr<Dwfl, EndDwfl> dwfl_;
};

/// libdw has state of its own (elf_version, its error numbers, caches) that is not made for several threads.
std::mutex& libdw_mutex() {
  static auto* const mutex = new std::mutex;
  return *mutex;
}

std::string describe_frame(const Frame& frame) {
  std::string text = frame.function.empty() ? hex(frame.address) : frame.function;
  if (!frame.file.empty()) {
    text += " at " + frame.file;
    if (frame.line > 0) text += ":" + std::to_string(frame.line);
  } else if (!frame.module.empty()) {
    text += " in " + frame.module + "+" + hex(frame.offset);
  }
  return text;
}

/// Frames one after another. The same address is looked up once only: a stack that overflowed has few
/// addresses, many times each, and a look-up takes milliseconds.
class Trace {
 public:
  explicit Trace(const std::vector<Mapping>& mappings) : symbols_{mappings} {}

  void append(std::uint64_t address, std::uint64_t lookup) {
    const auto known = known_.find(lookup);
    if (known == known_.end()) {
      const std::size_t begin = frames_.size();
      symbols_.append(address, lookup, frames_);
      known_.emplace(lookup, std::pair{begin, frames_.size()});
      return;
    }
    for (std::size_t index = known->second.first; index < known->second.second; ++index) {
      Frame again = frames_[index];
      again.offset += address - again.address;
      again.address = address;
      frames_.push_back(std::move(again));
    }
  }
  [[nodiscard]] std::vector<Frame> take() { return std::move(frames_); }

 private:
  Symbols symbols_;
  std::vector<Frame> frames_;
  std::unordered_map<std::uint64_t, std::pair<std::size_t, std::size_t>>
      known_;  // which of frames_ a look-up gave
};

}  // namespace

std::vector<Frame> symbolize(const CrashRecord& record) {
  const std::lock_guard lock{libdw_mutex()};
  Trace trace{record.mappings};
  for (std::size_t index = 0; index < record.frames.size(); ++index) {
    const std::uint64_t address = record.frames[index];
    // All but the first are return addresses, of the instruction after the call: it may be another line
    // already, or another function if the call does not return.
    const bool is_return_address = index != 0 && address != 0;
    trace.append(address, is_return_address ? address - 1 : address);
  }
  return trace.take();
}

std::vector<Frame> symbolize_local(std::span<void* const> return_addresses) {
  std::vector<Mapping> mappings;
  Maps maps;
  Maps::Line line;
  while (maps.next(line)) {
    const bool wanted =
        line.executable && std::any_of(return_addresses.begin(), return_addresses.end(), [&](void* pc) {
          const auto address = reinterpret_cast<std::uint64_t>(pc);
          return address > line.begin && address <= line.end;
        });
    if (wanted) mappings.push_back({line.begin, line.end, line.file_offset, std::string{line.path}});
  }
  const std::lock_guard lock{libdw_mutex()};
  Trace trace{mappings};
  for (void* const pc : return_addresses) {
    const auto address = reinterpret_cast<std::uint64_t>(pc);
    trace.append(address, address == 0 ? 0 : address - 1);
  }
  return trace.take();
}

std::string format_trace(std::span<const Frame> frames) {
  const auto same = [](const Frame& left, const Frame& right) {
    return left.function == right.function && left.file == right.file && left.line == right.line &&
           left.module == right.module && (!left.function.empty() || left.address == right.address);
  };
  std::string text;
  for (std::size_t index = 0; index < frames.size();) {
    std::size_t next = index + 1;
    while (next < frames.size() && same(frames[index], frames[next])) ++next;
    text += "#" + std::to_string(index) + " " + describe_frame(frames[index]);
    if (next - index > 1) text += " (" + std::to_string(next - index) + " times)";
    text += "\n";
    index = next;
  }
  return text;
}

}  // namespace weft::process
