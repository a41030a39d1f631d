#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>
#include <weft/buffer.hpp>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/buffer_box.hpp"
#include "link/descriptor_mail.hpp"
#include "link/frame_port.hpp"
#include "memory/chunk_map.hpp"
#include "memory/loan_book.hpp"
#include "wire/control.hpp"
#include "wire/frame.hpp"

namespace weft::link {

/// Blocks named in one frame at the most: buffers inside the values of one task or result.
inline constexpr std::size_t kReferencesMax = 255;

/// What crosses the border beside the bytes in frames: blocks lent and borrowed, the chunks they lie in, and the
/// control socket that carries the chunks' descriptors.
///
/// Owner: one side of a link. Threads: one at a time (the pool's lock, the worker's thread). Blocks: never, but for
/// the system calls that pass a chunk for the first time.
/// Crash: of the peer: destroying this takes back all that it had been lent; what it lent stays readable.
class Exchange {
 public:
  explicit Exchange(base::UniqueFd control);

  [[nodiscard]] int control() const noexcept { return control_.get(); }

  /// References for `buffers`, lent to the peer from now on (or handed back to it), for the next frame of `port`, which
  /// must have room for it: descriptors go at once. Faults: exhausted, system, encoding; would_block() where the control
  /// socket is full, or too many descriptors are on their way.
  base::Result<void> lend(std::span<const Buffer> buffers, std::vector<wire::BlockReference>& references,
                          FramePort& port);
  /// Takes back what lend() gave for a frame that was never published or never begun.
  void unlend(std::span<const wire::BlockReference> references) noexcept;
  /// The buffers that the peer's references name. Reads the control socket if a chunk is new. Faults: violation.
  base::Result<void> borrow(std::span<const wire::BlockReference> references, std::vector<Buffer>& buffers);

  /// The frame that names these was taken back: its descriptors are closed.
  void discard(std::span<const wire::BlockReference> references) noexcept;

  /// Writes release frames for what is no longer read here, as the ring has room. True if it wrote any.
  bool flush_returns(FramePort& port) noexcept;
  /// How many releases wait.
  [[nodiscard]] std::uint32_t returns_waiting() const noexcept { return returns_->waiting(); }
  /// A release frame's payload has come in. False: the peer gave back what it was not lent.
  [[nodiscard]] bool on_release(std::span<const std::byte> payload) noexcept;

  /// What read_control() met: never `chunks`, which it deals with itself.
  struct Control {
    enum class State { nothing, chunks, message, closed } state = State::nothing;
    wire::ControlMessage message;
    std::vector<base::UniqueFd> descriptors;
  };
  /// The next message on the control socket, without blocking. Faults: violation, system.
  base::Result<Control> read_control();
  base::Result<void> write_control(const wire::ControlMessage& message,
                                   std::span<const int> descriptors = {});

  /// Where the peer's loans come back to, for a peer in this same process.
  [[nodiscard]] const std::shared_ptr<ReturnBox>& returns() const noexcept { return returns_; }
  /// Before the end of one side of a link within this process: what it has lent stays for as long as `to`, which is the
  /// other side's returns(), so for as long as a Buffer of it. Nothing may be lent any more.
  void entrust(ReturnBox& to) { to.keep(std::make_unique<memory::LoanBook>(std::move(loans_))); }

  [[nodiscard]] std::size_t loans_outstanding() const noexcept { return loans_.outstanding(); }

 private:
  base::Result<wire::BlockReference> lend_one(const Buffer& buffer);
  /// One message of the control socket.
  base::Result<Control> read_one();
  /// The bytes at `where`, whose chunk may still be in the control socket.
  base::Result<memory::BlockView> resolve(const memory::BlockRef& where);
  base::Result<void> tell_retired();
  base::Result<void> send_files(std::span<const Buffer> buffers, std::span<wire::BlockReference> references,
                                FramePort& port);
  base::Result<Buffer> take_file(std::uint64_t number);

  base::UniqueFd control_;
  memory::LoanBook loans_;
  memory::ChunkMap chunks_;
  std::shared_ptr<ReturnBox> returns_;
  FileShelf files_;
  FilesUnderWay files_under_way_;
  std::vector<std::uint32_t> retired_;  ///< chunks that the peer must still be told about
};

}  // namespace weft::link
