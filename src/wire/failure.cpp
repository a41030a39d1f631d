#include "wire/failure.hpp"

#include <weft/schemas/failure_generated.h>

#include <algorithm>
#include <string_view>

#include "base/check.hpp"
#include "wire/verified.hpp"

namespace weft::wire {

namespace {

constexpr std::size_t kPathsMax = 2;  // As filesystem_error has.

/// How much of a report is kept.
struct Cut {
  std::size_t text_bytes = kFailureTextBytesMax;
  std::size_t chain = kFailureChainMax;
  std::size_t counters = kFailureCountersMax;
  std::size_t value_bytes = kFailureValueBytesMax;
  bool with_details = true;  // trace, paths
};

/// `text`, or its beginning and "...", in at most `bytes_max` bytes; a character of several bytes is not torn.
std::string shorten(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string{text};
  constexpr std::string_view kMark = "...";
  std::size_t end = bytes_max > kMark.size() ? bytes_max - kMark.size() : 0;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  return std::string{text.substr(0, end)} + std::string{kMark};
}

std::vector<std::byte> build(const FailureReport& report, const Cut& cut) {
  flatbuffers::FlatBufferBuilder builder;
  const auto text = [&](std::string_view full) {
    return builder.CreateString(shorten(full, cut.text_bytes));
  };

  std::vector<flatbuffers::Offset<schemas::ExceptionEntry>> entries;
  for (std::size_t i = 0; i < std::min(report.chain.size(), cut.chain); ++i) {
    const auto type = text(report.chain[i].type);
    entries.push_back(schemas::CreateExceptionEntry(builder, type, text(report.chain[i].message)));
  }
  const auto chain = builder.CreateVector(entries);
  const auto counters = builder.CreateVector(report.program_counters.data(),
                                             std::min(report.program_counters.size(), cut.counters));
  std::vector<flatbuffers::Offset<flatbuffers::String>> path_texts;
  flatbuffers::Offset<flatbuffers::String> trace;
  if (cut.with_details) {
    for (std::size_t i = 0; i < std::min(report.paths.size(), kPathsMax); ++i)
      path_texts.push_back(text(report.paths[i]));
    trace = text(report.trace);
  }
  const auto paths = builder.CreateVector(path_texts);
  const auto message = text(report.message);
  const auto category = text(report.category);
  // Half a value is none.
  const std::size_t value_bytes = report.value.size() <= cut.value_bytes ? report.value.size() : 0;
  const auto value =
      builder.CreateVector(reinterpret_cast<const std::uint8_t*>(report.value.data()), value_bytes);

  schemas::FinishFailureBuffer(
      builder,
      schemas::CreateFailure(builder, static_cast<schemas::FailureKind>(report.kind), report.had_begun,
                             message, chain, counters, trace, report.code, category, paths, value));
  return take_bytes(builder);
}

}  // namespace

std::vector<std::byte> encode(const FailureReport& report, std::size_t bytes_max) {
  WEFT_CHECK(bytes_max >= kFailureBytesMin, "a failure does not fit into so little");
  bytes_max = std::min(bytes_max, kFailureBytesMax);
  Cut cut;
  for (;;) {
    std::vector<std::byte> bytes = build(report, cut);
    if (bytes.size() <= bytes_max) return bytes;
    // What matters least goes first. In the end one type and one message of 32 bytes are left, which fit.
    if (cut.value_bytes > 0 && report.value.size() > bytes_max / 2) {
      cut.value_bytes = 0;
    } else if (cut.text_bytes > 256) {
      cut.text_bytes /= 2;
    } else if (cut.counters > 16) {
      cut.counters = 16;
    } else if (cut.with_details) {
      cut.with_details = false;
    } else if (cut.chain > 1) {
      cut.chain /= 2;
    } else if (cut.value_bytes > 0 || cut.counters > 0) {
      cut.value_bytes = 0;
      cut.counters = 0;
    } else {
      WEFT_CHECK(cut.text_bytes > 32, "the shortest failure fits");
      cut.text_bytes /= 2;
    }
  }
}

base::Result<FailureReport> decode_failure(std::span<const std::byte> bytes) {
  if (bytes.size() > kFailureBytesMax) return base::Fault::violation("a failure is longer than any may be");
  const PrivateCopy copy{bytes};
  const auto* const table = copy.root<schemas::Failure>(schemas::FailureIdentifier());
  if (table == nullptr) return base::Fault::violation("a failure is no valid Failure table");
  if (table->kind() < schemas::FailureKind::MIN || table->kind() > schemas::FailureKind::MAX) {
    return base::Fault::violation("a failure is of no known kind");
  }

  FailureReport report;
  report.kind = static_cast<FailureReport::Kind>(table->kind());
  report.had_begun = table->had_begun();
  report.message = to_string(table->message());
  if (const auto* const chain = table->chain()) {
    if (chain->size() > kFailureChainMax) return base::Fault::violation("a failure has too long a chain");
    for (const schemas::ExceptionEntry* const entry : *chain) {
      report.chain.push_back({to_string(entry->type()), to_string(entry->message())});
    }
  }
  if (report.kind == FailureReport::Kind::exception && report.chain.empty()) {
    return base::Fault::violation("a failure speaks of an exception and names none");
  }
  report.program_counters = to_vector<std::uint64_t>(table->program_counters());
  report.trace = to_string(table->trace());
  report.code = table->code();
  report.category = to_string(table->category());
  if (const auto* const paths = table->paths()) {
    if (paths->size() > kPathsMax) return base::Fault::violation("a failure has too many paths");
    for (const flatbuffers::String* const path : *paths) report.paths.push_back(to_string(path));
  }
  report.value = to_vector<std::byte>(table->value());
  return report;
}

}  // namespace weft::wire
