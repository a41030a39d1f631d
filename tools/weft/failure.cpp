#include "failure.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstring>
#include <exception>
#include <sstream>
#include <weft/error.hpp>

#include "wording.hpp"

namespace weft_cli {
namespace {

constexpr std::size_t kFramesShown = 6;
constexpr std::size_t kFrameLengthMax = 200;

/// The frames of the task itself: what stands below, how weft came to call it, helps nobody whose picture failed.
std::vector<std::string> first_frames(const std::string& trace) {
  std::vector<std::string> frames;
  std::istringstream stream{trace};
  for (std::string line; frames.size() < kFramesShown && std::getline(stream, line);) {
    if (line.empty()) continue;
    if (!frames.empty() && line.find("weft::detail::") != std::string::npos) break;
    if (line.size() > kFrameLengthMax) line = line.substr(0, kFrameLengthMax) + "...";
    frames.push_back(printable(line));
  }
  return frames;
}

Failure describe(const weft::WorkerCrashed& error) {
  const weft::WorkerEnd& end = error.end();
  if (end.signal == 0) return {.reason = printable(error.what()), .trace = first_frames(error.trace())};
  const char* const name = ::sigabbrev_np(end.signal);
  Failure failure{
      .signal = name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", end.signal),
      .trace = first_frames(error.trace())};
  const char* const description = ::sigdescr_np(end.signal);
  failure.reason = fmt::format("crashed its worker: {}{}", failure.signal,
                               description != nullptr ? fmt::format(" ({})", description) : "");
  if (end.signal == SIGSEGV || end.signal == SIGBUS)
    failure.reason += fmt::format(" at address {:#x}", end.address);
  return failure;
}

}  // namespace

Failure current_failure(bool stopping) {
  try {
    throw;
  } catch (const weft::WorkerCrashed& error) {
    Failure failure = describe(error);
    failure.not_done = stopping && error.end().signal == SIGINT;
    return failure;
  } catch (const weft::StartFailed& error) {
    return {.reason = printable(error.what()), .not_done = stopping};
  } catch (const weft::Cancelled& error) {
    return {.reason = printable(error.what()), .not_done = stopping};
  } catch (const weft::WorkerKilled& error) {
    return {.reason = printable(error.what()), .not_done = stopping};
  } catch (const weft::Closed& error) {
    return {.reason = printable(error.what()), .not_done = stopping};
  } catch (const std::exception& error) {
    const auto* const thrown_by_task = dynamic_cast<const weft::TaskException*>(&error);
    return {.reason = printable(thrown_by_task != nullptr ? thrown_by_task->message() : error.what())};
  } catch (...) {
    return {.reason = "an exception that is no std::exception"};
  }
}

}  // namespace weft_cli
