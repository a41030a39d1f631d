#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <system_error>
#include <utility>

#include "base/unique_fd.hpp"

namespace weft::bench {

/// A T in memory that a benchmark and its peer share: an anonymous memfd, zeroed, with every page touched.
///
/// Owner: create()'s caller; open() is for the peer, who inherits the descriptor. T must be all right as zeroes.
template <class T>
class Shared {
 public:
  static Shared create() {
    base::UniqueFd fd{::memfd_create("weft_bench", MFD_CLOEXEC)};
    if (!fd || ::ftruncate(fd.get(), sizeof(T)) != 0) fail("memfd");
    Shared shared{fd.get()};
    shared.fd_ = std::move(fd);
    return shared;
  }
  static Shared open(int fd) { return Shared{fd}; }

  Shared(Shared&& other) noexcept
      : fd_{std::move(other.fd_)}, object_{std::exchange(other.object_, nullptr)} {}
  Shared& operator=(Shared&&) = delete;
  ~Shared() {
    if (object_ != nullptr) ::munmap(object_, sizeof(T));
  }

  [[nodiscard]] T* operator->() const noexcept { return static_cast<T*>(object_); }
  [[nodiscard]] T& operator*() const noexcept { return *static_cast<T*>(object_); }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  explicit Shared(int fd) {
    void* const mapped = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (mapped == MAP_FAILED) fail("mmap");
    object_ = mapped;
  }
  [[noreturn]] static void fail(const char* what) {
    throw std::system_error{errno, std::system_category(), what};
  }

  base::UniqueFd fd_;
  void* object_ = nullptr;
};

}  // namespace weft::bench
