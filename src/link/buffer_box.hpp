#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>
#include <weft/buffer.hpp>

#include "base/atomic.hpp"
#include "base/unique_fd.hpp"
#include "memory/arena.hpp"
#include "memory/block.hpp"
#include "memory/chunk_map.hpp"
#include "memory/loan_book.hpp"

namespace weft::link {

/// The arena of this process: what Buffers and big payloads are made in.
memory::Arena& arena();

/// Loans of one peer that nobody here reads any more, until its link tells it. Buffers keep it alive beyond the link.
/// Threads: any.
class ReturnBox {
 public:
  void post(std::uint64_t loan) {
    const std::lock_guard guard{mutex_};
    loans_.push_back(loan);
    // Relaxed: a hint for waiting(); take() locks.
    count_.store(static_cast<std::uint32_t>(loans_.size()), base::relaxed);
  }
  /// How many loans wait, roughly. Relaxed: a hint.
  [[nodiscard]] std::uint32_t waiting() const noexcept { return count_.load(base::relaxed); }
  /// Moves up to `count` of them into `to`; how many.
  std::size_t take(std::uint64_t* to, std::size_t count) {
    const std::lock_guard guard{mutex_};
    const std::size_t taken = count < loans_.size() ? count : loans_.size();
    for (std::size_t i = 0; i < taken; ++i) to[i] = loans_[i];
    loans_.erase(loans_.begin(), loans_.begin() + static_cast<std::ptrdiff_t>(taken));
    // Relaxed: as in post().
    count_.store(static_cast<std::uint32_t>(loans_.size()), base::relaxed);
    return taken;
  }
  /// The lender has gone, and was of this process: what it has lent stays until nobody reads any of it.
  void keep(std::unique_ptr<memory::LoanBook> book) {
    const std::lock_guard guard{mutex_};
    kept_ = std::move(book);
  }

 private:
  std::mutex mutex_;
  std::vector<std::uint64_t> loans_;
  base::Atomic<std::uint32_t> count_{0};
  std::unique_ptr<memory::LoanBook> kept_;
};

}  // namespace weft::link

namespace weft::detail {

/// What the handles of one Buffer share: bytes of this process's arena, bytes that a peer lent, or the open file of a
/// Descriptor, without bytes.
struct BufferBox {
  // SYNC buffer-handles: whoever takes it to zero, or finds it one to write, sees every use of the bytes by the others.
  base::Atomic<std::uint32_t> handles{1};
  memory::Block block;                      ///< own bytes
  memory::BlockView view;                   ///< lent bytes
  std::shared_ptr<link::ReturnBox> lender;  ///< of lent bytes
  std::uint64_t loan = 0;
  base::UniqueFd file;  ///< none, of a file that came to a process that could hold no more
  bool is_file = false;

  static Buffer make(memory::Block block);
  static Buffer make(memory::BlockView view, std::shared_ptr<link::ReturnBox> lender, std::uint64_t loan);
  /// Takes `file` over; -1: one that could not be held.
  static Buffer make_file(int file);
  /// The box of a buffer, nullptr for one without bytes.
  static BufferBox* of(const Buffer& buffer) noexcept { return buffer.box_; }
};

}  // namespace weft::detail
