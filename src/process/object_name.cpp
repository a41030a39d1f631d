#include "process/object_name.hpp"

#include <cxxabi.h>
#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "process/module.hpp"

namespace weft::process {

namespace {

constexpr std::size_t kHeadersMax = 4096;
constexpr std::size_t kNotesBytesMax = 64 * 1024;
constexpr std::size_t kNameBytesMax = 16 * 1024;
constexpr std::size_t kSymbolsAtOnce = 4096;

/// A file that says of itself where its parts lie: every number in it may be wrong, and reading beyond its end is no more
/// than a failure.
class ElfFile {
 public:
  explicit ElfFile(int file) noexcept : file_{file} {}

  [[nodiscard]] bool open(std::uint32_t build_id_hash) {
    ElfW(Ehdr) header;
    if (!read(0, &header, sizeof header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(ElfW(Phdr)) ||
        header.e_shentsize != sizeof(ElfW(Shdr)))
      return false;
    std::vector<ElfW(Phdr)> segments;
    if (!read_all(header.e_phoff, header.e_phnum, segments)) return false;
    bool is_it = false;
    begin_ = std::numeric_limits<std::uint64_t>::max();
    for (const ElfW(Phdr) & segment : segments) {
      if (segment.p_type == PT_LOAD) begin_ = std::min<std::uint64_t>(begin_, segment.p_vaddr);
      if (segment.p_type != PT_NOTE || segment.p_filesz > kNotesBytesMax) continue;
      std::vector<char> notes(static_cast<std::size_t>(segment.p_filesz));
      if (!read(segment.p_offset, notes.data(), notes.size())) continue;
      const BuildId id = find_build_id(notes.data(), notes.size(), segment.p_align == 8 ? 8 : 4);
      is_it = is_it || (id && id.hash() == build_id_hash);
    }
    return is_it && read_all(header.e_shoff, header.e_shnum, sections_);
  }

  /// Mangled.
  [[nodiscard]] std::string name_at(std::uint64_t offset, std::uint64_t bytes) const {
    for (const ElfW(Shdr) & table : sections_) {
      if ((table.sh_type != SHT_SYMTAB && table.sh_type != SHT_DYNSYM) || table.sh_link >= sections_.size())
        continue;
      if (const auto found = find(table, begin_ + offset, bytes))
        return text_at(sections_[table.sh_link], *found);
    }
    return {};
  }

 private:
  bool read(std::uint64_t at, void* to, std::size_t bytes) const noexcept {
    if (at > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) return false;
    return ::pread(file_, to, bytes, static_cast<off_t>(at)) == static_cast<ssize_t>(bytes);
  }
  template <class T>
  bool read_all(std::uint64_t at, std::size_t count, std::vector<T>& to) const {
    if (count > kHeadersMax) return false;
    to.resize(count);
    return read(at, to.data(), count * sizeof(T));
  }

  /// Where its name stands in the table of names.
  [[nodiscard]] std::optional<std::uint32_t> find(const ElfW(Shdr) & table, std::uint64_t address,
                                                  std::uint64_t bytes) const {
    std::vector<ElfW(Sym)> symbols(kSymbolsAtOnce);
    std::uint64_t left = table.sh_size / sizeof(ElfW(Sym));
    for (std::uint64_t at = table.sh_offset; left != 0;) {
      const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(left, kSymbolsAtOnce));
      if (!read(at, symbols.data(), count * sizeof(ElfW(Sym)))) return std::nullopt;
      for (std::size_t i = 0; i < count; ++i) {
        if (symbols[i].st_value == address && symbols[i].st_size == bytes) return symbols[i].st_name;
      }
      at += count * sizeof(ElfW(Sym));
      left -= count;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::string text_at(const ElfW(Shdr) & names, std::uint32_t at) const {
    if (at >= names.sh_size) return {};
    std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(names.sh_size - at, kNameBytesMax)),
                     '\0');
    if (!read(names.sh_offset + at, text.data(), text.size())) return {};
    const std::size_t end = text.find('\0');
    return end == std::string::npos ? std::string{} : text.substr(0, end);
  }

  int file_;
  std::uint64_t begin_ = 0;  ///< address of the lowest segment
  std::vector<ElfW(Shdr)> sections_;
};

}  // namespace

std::string object_name(int file, std::uint32_t build_id_hash, std::uint64_t offset, std::uint64_t bytes) {
  ElfFile elf{file};
  if (!elf.open(build_id_hash)) return {};
  const std::string mangled = elf.name_at(offset, bytes);
  if (mangled.empty()) return {};
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> readable{
      abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status), &std::free};
  return readable ? readable.get() : mangled;
}

}  // namespace weft::process
