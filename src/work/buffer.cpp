#include <cstring>
#include <new>
#include <string>
#include <weft/buffer.hpp>
#include <weft/error.hpp>

#include "link/buffer_box.hpp"
#include "process/forked.hpp"
#include "process/memory_headroom.hpp"

namespace weft {

namespace link {

namespace {

std::optional<std::uint64_t> headroom() noexcept {
  try {
    return process::memory_headroom_bytes();
  } catch (...) {
    return std::nullopt;  // no memory to ask: the reservation itself will tell
  }
}

}  // namespace

memory::Arena& arena() {
  // Never destroyed: buffers in static variables may outlive everything else.
  static memory::Arena& the_arena = *new memory::Arena{memory::ArenaOptions{.headroom_bytes = &headroom}};
  return the_arena;
}

}  // namespace link

namespace detail {

Buffer BufferBox::make(memory::Block block) {
  auto* const box = new BufferBox;
  box->block = std::move(block);
  return Buffer{box, box->block.data(), static_cast<std::size_t>(box->block.size())};
}

Buffer BufferBox::make(memory::BlockView view, std::shared_ptr<link::ReturnBox> lender, std::uint64_t loan) {
  auto* const box = new BufferBox;
  box->view = std::move(view);
  box->lender = std::move(lender);
  box->loan = loan;
  return Buffer{box, box->view.bytes.data(), box->view.bytes.size()};
}

Buffer BufferBox::make_file(int file) {
  auto* const box = new BufferBox;
  box->file.reset(file);
  box->is_file = true;
  return Buffer{box, nullptr, 0};
}

}  // namespace detail

namespace {

Buffer allocate(std::size_t size) {
  if (process::in_forked_child()) {
    throw Error{"weft was in use before fork(), and its shared memory is not in this child", {}};
  }
  auto block = link::arena().allocate(size);
  if (!block) throw Exhausted{block.fault().message};
  return detail::BufferBox::make(std::move(*block));
}

}  // namespace

Buffer::Buffer(std::size_t size) : Buffer{allocate(size)} {}

Buffer Buffer::copy_of(std::span<const std::byte> bytes) {
  Buffer copy{bytes.size()};
  if (!bytes.empty()) std::memcpy(copy.box_->block.data(), bytes.data(), bytes.size());
  return copy;
}

Buffer::Buffer(const Buffer& other) noexcept : box_{other.box_}, data_{other.data_}, size_{other.size_} {
  // Relaxed: whoever copies a handle has one, so the count cannot reach zero meanwhile.
  if (box_ != nullptr) box_->handles.fetch_add(1, base::relaxed);
}

void Buffer::drop() noexcept {
  // SYNC buffer-handles: every use of the bytes by this handle, for who takes it to zero or finds itself alone.
  if (box_->handles.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (box_->lender) {
    try {
      box_->lender->post(box_->loan);
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch)
      // The lender keeps the block until this process ends; nothing else can be done without memory.
    }
  }
  delete box_;
}

std::span<std::byte> Buffer::writable() {
  if (box_ == nullptr) return {};
  // SYNC buffer-handles: every use of the bytes by handles that are gone, before what the caller writes.
  const bool alone = box_->handles.load(base::acquire) == 1 && box_->block && box_->block.is_sole();
  if (!alone) *this = copy_of(bytes());
  return {const_cast<std::byte*>(data_), size_};
}

Buffer Buffer::slice(std::size_t offset, std::size_t size) const {
  if (offset > size_ || size > size_ - offset) {
    throw ArgumentError{"Buffer::slice: " + std::to_string(size) + " bytes from " + std::to_string(offset) +
                        " on do not lie within the buffer's " + std::to_string(size_)};
  }
  Buffer part{*this};
  part.data_ += offset;
  part.size_ = size;
  return part;
}

}  // namespace weft
