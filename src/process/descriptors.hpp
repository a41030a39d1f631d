#pragma once
// The control socket between a parent and a worker: whole messages (SOCK_SEQPACKET), each with up to
// kDescriptorsMax descriptors.

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace weft::process {

/// The most descriptors that one message may carry. The kernel's own bound is 253.
inline constexpr std::size_t kDescriptorsMax = 64;

/// Whether a call may block the thread until it can be done.
enum class Wait { no, yes };

/// Two connected ends, both O_CLOEXEC.
struct SocketPair {
  base::UniqueFd ours;
  base::UniqueFd theirs;
};
base::Result<SocketPair> socket_pair();

/// Sends one message, which must not be empty, as a whole or not at all, with copies of `descriptors`.
/// Faults: would_block() if the socket is full and `wait` is no; peer_gone() if the other end is closed;
/// exhausted; system.
base::Result<void> send(int socket, std::span<const std::byte> message, std::span<const int> descriptors = {},
                        Wait wait = Wait::no);

[[nodiscard]] bool would_block(const base::Fault& fault) noexcept;
[[nodiscard]] bool peer_gone(const base::Fault& fault) noexcept;

struct Received {
  enum class State {
    message,      ///< `bytes` of the buffer are filled, `descriptors` arrived with them
    would_block,  ///< nothing is there yet
    closed,       ///< the peer has closed its end, or ended; nothing will come any more
  };
  State state = State::would_block;
  std::size_t bytes = 0;
  std::vector<base::UniqueFd> descriptors;  ///< all O_CLOEXEC
};

/// Receives one message. Faults: violation if it is longer than `buffer` or carries more than
/// `descriptors_max` descriptors (at most kDescriptorsMax), all of which are closed again; exhausted if this
/// process cannot hold the descriptors; system. With `lacking` that is no fault: it is set, and those that could be held
/// are given.
base::Result<Received> receive(int socket, std::span<std::byte> buffer, std::size_t descriptors_max = 0,
                               Wait wait = Wait::no, bool* lacking = nullptr);

}  // namespace weft::process
