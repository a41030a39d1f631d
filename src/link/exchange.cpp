#include "link/exchange.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "base/failure_point.hpp"
#include "process/descriptors.hpp"
#include "process/limits.hpp"

namespace weft::link {

using base::Fault;
using base::Result;

namespace {

constexpr std::uint32_t kFile = 2;  ///< BlockReference::owner: no block, `loan` is a descriptor's number

}  // namespace

Exchange::Exchange(base::UniqueFd control)
    : control_{std::move(control)}, loans_{arena()}, returns_{std::make_shared<ReturnBox>()} {}

Result<wire::BlockReference> Exchange::lend_one(const Buffer& buffer) {
  const detail::BufferBox* const box = detail::BufferBox::of(buffer);
  wire::BlockReference reference;
  if (box == nullptr) return reference;  // no bytes: loan 0 says so
  if (box->is_file) {
    if (box->file) reference.owner = kFile;  // its number comes when all are there: send_files()
    return reference;
  }
  const auto offset_in =
      static_cast<std::uint64_t>(buffer.data() - (box->lender ? box->view.bytes.data() : box->block.data()));
  if (box->lender == returns_) {
    // The peer's own bytes go home.
    reference.loan = box->loan;
    reference.owner = 1;
    reference.offset = offset_in;
    reference.length = buffer.size();
    return reference;
  }
  memory::Block block = box->block;
  if (box->lender) {
    // Bytes of a third process: this peer cannot map them, so they are copied once.
    auto copy = arena().allocate(buffer.size());
    if (!copy) return copy.fault();
    std::memcpy(copy->data(), buffer.data(), buffer.size());
    block = std::move(*copy);
  } else {
    block.narrow(offset_in, buffer.size());
  }
  if (loans_.needs_chunk(block)) {
    const memory::ChunkInfo chunk = block.chunk();
    const std::array<int, 1> descriptor{chunk.fd};
    if (auto sent = write_control(wire::Chunk{chunk.id, chunk.bytes}, descriptor); !sent) return sent.fault();
    WEFT_FAILURE_POINT("exchange.lend.after_chunk");
    if (auto noted = loans_.chunk_sent(block); !noted) return noted.fault();
  }
  const memory::BlockRef where = block.ref();
  auto loan = loans_.lend(std::move(block));
  if (!loan) return loan.fault();
  WEFT_FAILURE_POINT("exchange.lend.lent");
  reference.loan = *loan;
  reference.chunk = where.chunk;
  reference.offset = where.offset;
  reference.length = where.length;
  return reference;
}

Result<void> Exchange::tell_retired() {
  static_cast<void>(loans_.take_retired(retired_));
  while (!retired_.empty()) {
    if (auto sent = write_control(wire::ChunkRetired{retired_.back()}); !sent) return sent;
    retired_.pop_back();
  }
  return {};
}

Result<void> Exchange::lend(std::span<const Buffer> buffers, std::vector<wire::BlockReference>& references,
                            FramePort& port) {
  references.clear();
  if (buffers.size() > kReferencesMax) {
    return Fault{Fault::Kind::encoding, 0,
                 "a task or result holds " + std::to_string(buffers.size()) + " buffers; at most " +
                     std::to_string(kReferencesMax) +
                     " travel at once: put them into one buffer, or send several tasks"};
  }
  if (auto told = tell_retired(); !told) return told;
  for (const Buffer& buffer : buffers) {
    auto reference = lend_one(buffer);
    if (!reference) {
      unlend(references);
      return reference.fault();
    }
    references.push_back(*reference);
  }
  // Last, so that none is under way for a frame that is not written after all.
  auto sent = send_files(buffers, references, port);
  if (!sent) unlend(references);
  return sent;
}

Result<void> Exchange::send_files(std::span<const Buffer> buffers, std::span<wire::BlockReference> references,
                                  FramePort& port) {
  std::array<int, process::kDescriptorsMax> files;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < references.size(); ++i) {
    if (references[i].owner != kFile) continue;
    if (count == files.size()) {
      return Fault{
          Fault::Kind::encoding, 0,
          "a task or value holds more than " + std::to_string(files.size()) + " descriptors: send several"};
    }
    references[i].loan = files_under_way_.next() + count;
    files[count++] = detail::BufferBox::of(buffers[i])->file.get();
  }
  if (count == 0) return {};
  if (!files_under_way_.has_room(count, port.out.consumed()) &&
      !(port.out.refresh() && files_under_way_.has_room(count, port.out.consumed()))) {
    return Fault{Fault::Kind::system, EAGAIN, "too many descriptors are on their way to the peer"};
  }
  if (auto sent =
          write_control(wire::Descriptors{files_under_way_.next(), count}, std::span{files}.first(count));
      !sent) {
    return sent;
  }
  WEFT_FAILURE_POINT("files.sent");
  files_under_way_.add(count, port.out.position());
  return {};
}

void Exchange::unlend(std::span<const wire::BlockReference> references) noexcept {
  for (const wire::BlockReference& reference : references) {
    if (reference.owner == 0 && reference.loan != 0) static_cast<void>(loans_.give_back(reference.loan));
  }
}

Result<void> Exchange::borrow(std::span<const wire::BlockReference> references,
                              std::vector<Buffer>& buffers) {
  buffers.clear();
  for (const wire::BlockReference& named : references) {
    const wire::BlockReference reference = named;  // a private copy: what is checked is what is used
    if (reference.loan == 0) {
      buffers.emplace_back();
      continue;
    }
    if (reference.owner == kFile) {
      auto file = take_file(reference.loan);
      if (!file) return file.fault();
      buffers.push_back(std::move(*file));
      continue;
    }
    if (reference.owner == 1) {
      memory::Block block = loans_.find(reference.loan);
      if (!block || reference.offset > block.size() || reference.length > block.size() - reference.offset) {
        return Fault::violation("a frame hands back a block that was not lent, or more of it than there is");
      }
      block.narrow(reference.offset, reference.length);
      buffers.push_back(detail::BufferBox::make(std::move(block)));
      continue;
    }
    const memory::BlockRef where{reference.chunk, 0, reference.offset, reference.length};
    auto view = resolve(where);
    if (!view) return view.fault();
    WEFT_FAILURE_POINT("exchange.borrow.resolved");
    buffers.push_back(detail::BufferBox::make(std::move(*view), returns_, reference.loan));
  }
  return {};
}

Result<Buffer> Exchange::take_file(std::uint64_t number) {
  while (!files_.has_come(number)) {
    auto control = read_one();
    if (!control) return control.fault();
    if (control->state != Control::State::chunks)
      return Fault::violation("a frame names a descriptor that did not come");
  }
  auto file = files_.take(number);
  if (!file) return file.fault();
  WEFT_FAILURE_POINT("files.taken");
  Buffer made = detail::BufferBox::make_file(file->get());
  static_cast<void>(file->release());
  return made;
}

void Exchange::discard(std::span<const wire::BlockReference> references) noexcept {
  for (const wire::BlockReference& reference : references) {
    if (reference.owner == kFile) files_.drop_below(reference.loan + 1);
  }
}

bool Exchange::flush_returns(FramePort& port) noexcept {
  bool any = false;
  while (returns_->waiting() != 0) {
    constexpr std::size_t kPerFrame = 64;
    std::array<std::uint64_t, kPerFrame> loans;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    // Room first: what is taken out of the box must be told.
    if (port.out.try_claim(static_cast<std::uint32_t>(sizeof(wire::FrameHeader) + sizeof loans)) == nullptr)
      break;
    const std::size_t count = returns_->take(loans.data(), loans.size());
    WEFT_FAILURE_POINT("exchange.returns.taken");
    wire::FrameHeader header;
    header.kind = wire::Kind::release;
    any = port.send(header, {}, std::as_bytes(std::span{loans.data(), count}));
  }
  return any;
}

bool Exchange::on_release(std::span<const std::byte> payload) noexcept {
  if (payload.size() % sizeof(std::uint64_t) != 0) return false;
  for (std::size_t at = 0; at < payload.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t loan = 0;
    std::memcpy(&loan, payload.data() + at, sizeof loan);
    if (!loans_.give_back(loan)) return false;
  }
  return true;
}

Result<memory::BlockView> Exchange::resolve(const memory::BlockRef& where) {
  auto view = chunks_.resolve(where);
  while (!view) {
    // The chunk was sent before the frame that names it, so it is in the socket, or was never sent. What lies behind it
    // there is left for read_control(): a goodbye, or the end of a worker that has answered and died.
    auto control = read_one();
    if (!control) return control.fault();
    if (control->state != Control::State::chunks) return view.fault();
    view = chunks_.resolve(where);
  }
  return view;
}

Result<Exchange::Control> Exchange::read_one() {
  alignas(16) std::array<std::byte, 64 * 1024> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  bool lacking = false;
  auto received =
      process::receive(control_.get(), bytes, process::kDescriptorsMax, process::Wait::no, &lacking);
  if (!received) return received.fault();
  if (received->state == process::Received::State::would_block) return Control{};
  if (received->state == process::Received::State::closed) return Control{Control::State::closed, {}, {}};
  auto message = wire::decode_control(std::span{bytes}.first(received->bytes));
  if (!message) return message.fault();
  if (const auto* const files = std::get_if<wire::Descriptors>(&*message)) {
    if (!lacking && received->descriptors.size() != files->count)
      return Fault::violation("descriptors came in another number than was told");
    auto done = files_.put(files->first, files->count, std::move(received->descriptors));
    if (!done) return done.fault();
    return Control{Control::State::chunks, {}, {}};
  }
  if (lacking) return process::out_of_descriptors("cannot receive a descriptor", EMFILE);
  if (const auto* const chunk = std::get_if<wire::Chunk>(&*message)) {
    if (received->descriptors.size() != 1) return Fault::violation("a chunk came without its descriptor");
    auto done = chunks_.adopt(chunk->id, std::move(received->descriptors.front()), chunk->bytes);
    if (!done) return done.fault();
    return Control{Control::State::chunks, {}, {}};
  }
  if (const auto* const retired = std::get_if<wire::ChunkRetired>(&*message)) {
    if (auto done = chunks_.retire(retired->id); !done) return done.fault();
    return Control{Control::State::chunks, {}, {}};
  }
  return Control{Control::State::message, std::move(*message), std::move(received->descriptors)};
}

Result<Exchange::Control> Exchange::read_control() {
  // The socket holds some hundreds, so who sends so many while they are being read means to keep this side busy.
  constexpr int kAtOnce = 4096;
  for (int messages = 0; messages < kAtOnce; ++messages) {
    auto control = read_one();
    if (!control || control->state != Control::State::chunks) return control;
  }
  return Fault::violation("the peer floods the control socket");
}

Result<void> Exchange::write_control(const wire::ControlMessage& message, std::span<const int> descriptors) {
  // Never waits: a peer that is stopped must not stop this side. The socket holds hundreds of these messages.
  return process::send(control_.get(), wire::encode(message), descriptors, process::Wait::no);
}

}  // namespace weft::link
