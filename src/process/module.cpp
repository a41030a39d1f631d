#include "process/module.hpp"

#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>

#include "base/bytes.hpp"
#include "base/check.hpp"

namespace weft::process {

/// {name size, description size, type}, name, description, both padded.
BuildId find_build_id(const char* notes, std::size_t bytes, std::size_t alignment) {
  BuildId id;
  std::size_t at = 0;
  ElfW(Nhdr) note;
  while (at + sizeof note <= bytes) {
    std::memcpy(&note, notes + at, sizeof note);
    const std::size_t name_at = at + sizeof note;
    const std::size_t text_at = base::align_up(name_at + note.n_namesz, alignment);
    const std::size_t next = base::align_up(text_at + note.n_descsz, alignment);
    if (text_at + note.n_descsz > bytes) break;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(notes + name_at, "GNU", 4) == 0) {
      id.size = static_cast<std::uint8_t>(std::min<std::size_t>(note.n_descsz, id.bytes.size()));
      std::memcpy(id.bytes.data(), notes + text_at, id.size);
      break;
    }
    at = next;
  }
  return id;
}

namespace {

Module describe_module(const dl_phdr_info& info) {
  Module module;
  module.path = info.dlpi_name == nullptr ? "" : info.dlpi_name;
  for (ElfW(Half) index = 0; index < info.dlpi_phnum; ++index) {
    const ElfW(Phdr)& header = info.dlpi_phdr[index];
    const std::uintptr_t begin = info.dlpi_addr + header.p_vaddr;
    if (header.p_type == PT_LOAD) {
      module.segments.push_back({begin, begin + header.p_memsz, (header.p_flags & PF_R) != 0});
    } else if (header.p_type == PT_NOTE && !module.build_id) {
      module.build_id = find_build_id(reinterpret_cast<const char*>(begin), header.p_memsz,
                                      header.p_align == 8 ? std::size_t{8} : std::size_t{4});
    }
  }
  module.hash = module.build_id.hash();
  if (!module.segments.empty()) {
    module.begin = UINTPTR_MAX;
    for (const Module::Segment& segment : module.segments) {
      module.begin = std::min(module.begin, segment.begin);
      module.end = std::max(module.end, segment.end);
    }
  }
  return module;
}

std::string own_path() {
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  return length <= 0 ? std::string{} : std::string{path, static_cast<std::size_t>(length)};
}

/// The modules other than the program itself. Threads: behind `mutex_`, which is taken before the loader's
/// own lock and never inside of it (the loader runs constructors without the lock that dl_iterate_phdr
/// takes).
class OtherModules {
 public:
  template <class Matches>
  const Module* find(const Matches& matches) {
    const std::lock_guard lock{mutex_};
    refresh_if_changed();
    const Module* found = nullptr;
    for (const Module* module : loaded_) {
      if (!matches(*module)) continue;
      if (found != nullptr && !(found->build_id == module->build_id))
        return nullptr;  // two builds with one hash
      if (found == nullptr) found = module;
    }
    return found;
  }

 private:
  struct Counters {
    unsigned long long added = 0;
    unsigned long long removed = 0;
    friend bool operator==(const Counters&, const Counters&) = default;
  };

  /// The loader counts what it loads and unloads, so the table is read anew only when it has changed, and a
  /// module that was unloaded is not found any more.
  void refresh_if_changed() {
    Counters now;
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* out) {
          *static_cast<Counters*>(out) = {info->dlpi_adds, info->dlpi_subs};
          return 1;
        },
        &now);
    if (now == counters_) return;
    std::vector<Module> modules;
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* out) {
          static_cast<std::vector<Module>*>(out)->push_back(describe_module(*info));
          return 0;
        },
        &modules);
    loaded_.clear();
    for (std::size_t index = 1; index < modules.size(); ++index)
      loaded_.push_back(intern(std::move(modules[index])));
    counters_ = now;
  }

  /// Modules are never destroyed, since callers hold pointers; one that comes back to its old place is the
  /// old one.
  const Module* intern(Module module) {
    for (const auto& known : known_) {
      if (known->begin == module.begin && known->end == module.end && known->build_id == module.build_id &&
          known->path == module.path) {
        return known.get();
      }
    }
    known_.push_back(std::make_unique<const Module>(std::move(module)));
    return known_.back().get();
  }

  std::mutex mutex_;
  Counters counters_;
  std::vector<const Module*> loaded_;
  std::vector<std::unique_ptr<const Module>> known_;
};

OtherModules& others() {
  // Never destroyed: code ids may be asked for by destructors of static objects.
  static auto* const modules = new OtherModules;
  return *modules;
}

}  // namespace

std::string BuildId::hex() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t index = 0; index < size; ++index) {
    text.push_back(kDigits[bytes[index] >> 4]);
    text.push_back(kDigits[bytes[index] & 15]);
  }
  return text;
}

std::uint32_t BuildId::hash() const noexcept {
  if (size == 0) return 0;
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (std::size_t index = 0; index < size; ++index) hash = (hash ^ bytes[index]) * 16777619U;
  return hash == 0 ? 1 : hash;
}

bool Module::contains(std::uintptr_t address) const noexcept {
  if (address < begin || address >= end) return false;
  return std::any_of(segments.begin(), segments.end(), [&](const Segment& segment) {
    return address >= segment.begin && address < segment.end;
  });
}

const Module& main_module() {
  static const Module* const module = [] {
    Module found;
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* out) {
          *static_cast<Module*>(out) = describe_module(*info);
          return 1;  // the program itself comes first
        },
        &found);
    found.path = own_path();
    return new Module{std::move(found)};  // never destroyed: see others()
  }();
  return *module;
}

const Module* module_of(const void* address) {
  const auto place = reinterpret_cast<std::uintptr_t>(address);
  if (main_module().contains(place)) return &main_module();
  return others().find([place](const Module& module) { return module.contains(place); });
}

const Module* module_by_hash(std::uint32_t build_id_hash) {
  if (build_id_hash == 0) return nullptr;
  if (build_id_hash == main_module().hash) return &main_module();
  return others().find([build_id_hash](const Module& module) { return module.hash == build_id_hash; });
}

std::uint64_t code_id(const void* address) {
  const Module* const module = module_of(address);
  if (module == nullptr || !module->build_id) return 0;
  const std::uint64_t offset = reinterpret_cast<std::uintptr_t>(address) - module->begin;
  if (offset > UINT32_MAX) return 0;
  return std::uint64_t{module->hash} << 32 | offset;
}

const void* code_address(std::uint64_t id) {
  const Module* const module = module_by_hash(static_cast<std::uint32_t>(id >> 32));
  if (module == nullptr) return nullptr;
  const std::uintptr_t place = module->begin + static_cast<std::uint32_t>(id);
  for (const Module::Segment& segment : module->segments) {
    if (segment.readable && place >= segment.begin && place < segment.end) {
      return reinterpret_cast<const void*>(place);
    }
  }
  return nullptr;
}

}  // namespace weft::process
