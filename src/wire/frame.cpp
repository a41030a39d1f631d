#include "wire/frame.hpp"

#include <cstdint>
#include <weft/encoder.hpp>

// The generated structs keep their fields private, and only the compiler may look. Everything that the generated header
// includes comes first, so that nothing else is read this way.
#include <flatbuffers/flatbuffers.h>
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wkeyword-macro"
#endif
#define private public  // NOLINT
#include <weft/schemas/frame_generated.h>
#undef private

namespace weft::wire {

// src/wire/frame.hpp is what is written, schemas/frame.fbs what is promised: they may not drift apart.

#define WEFT_SAME_PLACE(Ours, our_field, Theirs, their_field)                          \
  static_assert(offsetof(Ours, our_field) == offsetof(schemas::Theirs, their_field) && \
                    sizeof(Ours::our_field) == sizeof(schemas::Theirs::their_field),   \
                "src/wire/frame.hpp and schemas/frame.fbs differ in " #Theirs "." #our_field)

static_assert(sizeof(FrameHeader) == sizeof(schemas::Frame) &&
              alignof(FrameHeader) == alignof(schemas::Frame));
WEFT_SAME_PLACE(FrameHeader, length, Frame, length_);
WEFT_SAME_PLACE(FrameHeader, withdrawn, Frame, withdrawn_);
WEFT_SAME_PLACE(FrameHeader, slot, Frame, slot_);
WEFT_SAME_PLACE(FrameHeader, generation, Frame, generation_);
WEFT_SAME_PLACE(FrameHeader, function, Frame, function_);
WEFT_SAME_PLACE(FrameHeader, deadline_ns, Frame, deadline_ns_);
WEFT_SAME_PLACE(FrameHeader, kind, Frame, kind_);
WEFT_SAME_PLACE(FrameHeader, encoding, Frame, encoding_);
WEFT_SAME_PLACE(FrameHeader, flags, Frame, flags_);
WEFT_SAME_PLACE(FrameHeader, attachments, Frame, attachments_);
WEFT_SAME_PLACE(FrameHeader, reserved, Frame, reserved_);

static_assert(sizeof(AskHead) == sizeof(schemas::AskHead));
WEFT_SAME_PLACE(AskHead, operation, AskHead, operation_);
WEFT_SAME_PLACE(AskHead, count, AskHead, count_);

static_assert(sizeof(BlockReference) == sizeof(schemas::BlockReference) &&
              alignof(BlockReference) == alignof(schemas::BlockReference));
WEFT_SAME_PLACE(BlockReference, loan, BlockReference, loan_);
WEFT_SAME_PLACE(BlockReference, chunk, BlockReference, chunk_);
WEFT_SAME_PLACE(BlockReference, owner, BlockReference, owner_);
WEFT_SAME_PLACE(BlockReference, offset, BlockReference, offset_);
WEFT_SAME_PLACE(BlockReference, length, BlockReference, length_);

#undef WEFT_SAME_PLACE

constexpr bool operator==(Kind ours, schemas::FrameKind theirs) {
  return static_cast<std::uint8_t>(ours) == static_cast<std::uint8_t>(theirs);
}
static_assert(Kind::task == schemas::FrameKind::task && Kind::value == schemas::FrameKind::value &&
                  Kind::failure == schemas::FrameKind::failure &&
                  Kind::returned == schemas::FrameKind::returned &&
                  Kind::release == schemas::FrameKind::release && Kind::open == schemas::FrameKind::open &&
                  Kind::channel == schemas::FrameKind::channel &&
                  Kind::credit == schemas::FrameKind::credit && Kind::close == schemas::FrameKind::close &&
                  Kind::progress == schemas::FrameKind::progress && Kind::ask == schemas::FrameKind::ask &&
                  Kind::answer == schemas::FrameKind::answer,
              "src/wire/frame.hpp and schemas/frame.fbs number the kinds differently");
static_assert(Kind::answer == schemas::FrameKind::MAX, "a kind that src/wire/frame.hpp lacks");

constexpr bool operator==(Encoding ours, schemas::PayloadEncoding theirs) {
  return static_cast<std::uint8_t>(ours) == static_cast<std::uint8_t>(theirs);
}
static_assert(Encoding::nothing == schemas::PayloadEncoding::nothing &&
                  Encoding::bytes == schemas::PayloadEncoding::bytes &&
                  Encoding::text == schemas::PayloadEncoding::text &&
                  Encoding::values == schemas::PayloadEncoding::values &&
                  Encoding::buffer == schemas::PayloadEncoding::buffer &&
                  Encoding::message == schemas::PayloadEncoding::message,
              "weft/encoder.hpp and schemas/frame.fbs number the encodings differently");
static_assert(Encoding::message == schemas::PayloadEncoding::MAX, "an encoding that weft/encoder.hpp lacks");

}  // namespace weft::wire
