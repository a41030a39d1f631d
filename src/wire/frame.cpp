#include "wire/frame.hpp"

#include <type_traits>
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

static_assert(sizeof(BlockReference) == sizeof(schemas::BlockReference) &&
              alignof(BlockReference) == alignof(schemas::BlockReference));
WEFT_SAME_PLACE(BlockReference, loan, BlockReference, loan_);
WEFT_SAME_PLACE(BlockReference, chunk, BlockReference, chunk_);
WEFT_SAME_PLACE(BlockReference, owner, BlockReference, owner_);
WEFT_SAME_PLACE(BlockReference, offset, BlockReference, offset_);
WEFT_SAME_PLACE(BlockReference, length, BlockReference, length_);

#undef WEFT_SAME_PLACE

template <class Ours, class Theirs>
constexpr bool is_same_number(Ours ours, Theirs theirs) {
  return static_cast<std::underlying_type_t<Ours>>(ours) ==
         static_cast<std::underlying_type_t<Theirs>>(theirs);
}

static_assert(is_same_number(Kind::task, schemas::FrameKind::task));
static_assert(is_same_number(Kind::value, schemas::FrameKind::value));
static_assert(is_same_number(Kind::failure, schemas::FrameKind::failure));
static_assert(is_same_number(Kind::returned, schemas::FrameKind::returned));
static_assert(is_same_number(Kind::release, schemas::FrameKind::release));
static_assert(is_same_number(Kind::cancel, schemas::FrameKind::cancel));
static_assert(is_same_number(Kind::cancel, schemas::FrameKind::MAX),
              "a kind that src/wire/frame.hpp does not know");

static_assert(is_same_number(Encoding::nothing, schemas::PayloadEncoding::nothing));
static_assert(is_same_number(Encoding::bytes, schemas::PayloadEncoding::bytes));
static_assert(is_same_number(Encoding::text, schemas::PayloadEncoding::text));
static_assert(is_same_number(Encoding::values, schemas::PayloadEncoding::values));
static_assert(is_same_number(Encoding::buffer, schemas::PayloadEncoding::buffer));
static_assert(is_same_number(Encoding::message, schemas::PayloadEncoding::message));
static_assert(is_same_number(Encoding::message, schemas::PayloadEncoding::MAX),
              "an encoding that weft/encoder.hpp lacks");

}  // namespace weft::wire
