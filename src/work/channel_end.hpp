#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>
#include <weft/detail/channel_port.hpp>
#include <weft/detail/gate.hpp>
#include <weft/detail/local_channel.hpp>

#include "base/atomic.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"
#include "fiber/reactor.hpp"
#include "link/exchange.hpp"
#include "link/frame_port.hpp"

namespace weft::work {

/// What each side knows a channel by.
struct ChannelId {
  std::uint64_t call = 0;   ///< slot and generation
  std::uint64_t key = 0;    ///< hash of its key
  std::uint64_t types = 0;  ///< hash of what it carries
};
/// What send() and receive() throw where a channel's two ends do not fit together.
std::exception_ptr of_other_types();
ChannelId channel_id(std::uint64_t call, const detail::ChannelName& name) noexcept;

/// One end of a channel to another process: values that have come and were not received yet, values that could not be
/// written yet, and how many more may go either way. The two sides of a link derive from it what they do differently:
/// who may use the rings, and how the other side's frames are waited for.
///
/// Credit: each direction begins with kChannelCredit; a value costs one, and the receiver gives back what it has taken
/// in halves. So an inbox is never fuller than that, and who sends faster is held back.
///
/// Owner: a Channel, and the call that it belongs to. Threads: any. Locks: mutex_ is taken within the lock of the link
/// (the pool's lock; in a worker its one thread), never the other way round.
class ChannelEnd : public detail::ChannelPort {
 public:
  enum class Look : std::uint8_t {
    nothing,    ///< has come
    something,  ///< has, for whomever
    elsewhere,  ///< this thread cannot look, or has something else to do first
  };

  /// `is_open`: the other end is there, so that values can be written. Else they wait here.
  ChannelEnd(const ChannelId& id, bool is_open) : id_{id}, is_open_{is_open} {}

  // For the Channel.
  detail::Waited send(const detail::Payload& payload, std::uint64_t deadline_ns) final;
  detail::Waited receive(detail::Arrival& arrival, std::uint64_t deadline_ns) final;
  void close() noexcept final;
  bool is_closed() noexcept final;
  void on_close(std::function<void()> callback) final { closing_.on_close(std::move(callback)); }
  bool ready() final;
  bool watch(const fiber::Waker& waker) final;
  void unwatch(const fiber::Waker& waker) noexcept final;

  // For whoever reads and writes the rings.

  [[nodiscard]] const ChannelId& id() const noexcept { return id_; }
  [[nodiscard]] bool is_open();
  /// The other end is there, and knows the call by this.
  void open(std::uint64_t call);
  /// A value came in. False: beyond what the other side may send. It belongs to this end from now on.
  [[nodiscard]] bool deliver(const wire::FrameHeader& header, std::span<const std::byte> bytes,
                             std::vector<Buffer>& attachments);
  /// False: more than was sent.
  [[nodiscard]] bool credit(std::uint64_t count);
  /// No more goes either way, but for what is here; `why`, if there is more to say than that it was closed. Callbacks
  /// are left to tell_closed(), which must be called without locks.
  void shut(std::exception_ptr why = nullptr) noexcept;
  void tell_closed() noexcept { closing_.ring(); }

  /// Where frames can be written.
  struct Line {
    link::FramePort& port;
    link::Exchange& exchange;
    bool wrote = false;  ///< to be told by the caller: the other side may sleep
  };
  /// Writes what waits here, as there is room. False if something is left.
  [[nodiscard]] bool flush(Line& line);
  /// Nothing can be written any more.
  void cut() noexcept;

 protected:
  ~ChannelEnd() override = default;

  /// A value that has its credit, on its way.
  struct Outgoing {
    Encoding encoding = Encoding::nothing;
    bool in_block = false;
    std::span<const std::byte> bytes;
    std::span<const Buffer> attachments;
  };
  /// Writes it if it can be written now, else keeps it for flush(). Throws Exhausted: it has not been sent.
  /// closed: it is.
  enum class Put : std::uint8_t { written, kept, closed };
  Put put(Line* line, const Outgoing& value);

  /// Reads what has come, without waiting.
  virtual Look look() noexcept = 0;
  /// While attached, the reactor does that when it has nothing else to do.
  virtual void attach(fiber::Reactor& reactor) = 0;
  virtual void detach(fiber::Reactor& reactor) noexcept = 0;
  virtual std::uint64_t spin_ns_max() const noexcept = 0;
  /// put(), where frames may be written. closed if this end was meanwhile.
  virtual detail::Waited transmit(const Outgoing& value) = 0;
  /// flush(), now or soon.
  virtual void flush_soon() noexcept = 0;

 private:
  detail::Waited take(detail::Gate& gate, std::unique_lock<std::mutex>& lock, std::uint64_t deadline_ns);
  detail::Waited wait(detail::Gate& gate, std::unique_lock<std::mutex>& lock, std::uint64_t deadline_ns);
  bool spin(detail::Gate& gate, fiber::Reactor& reactor, std::uint64_t deadline_ns);
  detail::Waited why_closed(detail::Waited waited);
  [[nodiscard]] bool readable() const noexcept { return closed_ || values_.permits() != 0; }
  base::Result<bool> write(Line& line, const Outgoing& value);
  bool write_note(Line& line, wire::Kind kind, std::uint16_t flags, std::span<const std::byte> payload);
  void changed() noexcept;

  /// What waits to be written, with bytes of its own.
  struct Kept {
    Encoding encoding;
    bool in_block;
    std::vector<std::byte> bytes;
    std::vector<Buffer> attachments;
  };

  ChannelId id_;      ///< the call under mutex_: a task that goes to another worker gets a new generation
  std::mutex mutex_;  // guards all below
  detail::Gate credit_{base::kChannelCredit};
  detail::Gate values_{0};
  /// A ring of kChannelCredit places, used over and over, so that a stream allocates nothing.
  std::unique_ptr<detail::Arrival[]> inbox_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::deque<Kept> outbox_;
  std::uint64_t may_come_ = base::kChannelCredit;  ///< so many values the other side may still send
  std::uint64_t owed_ = 0;                         ///< values received for which no credit was given back yet
  std::uint64_t unconfirmed_ = 0;                  ///< values written for which no credit came back yet
  bool is_open_;
  bool is_cut_ = false;
  bool closed_ = false;
  bool close_due_ = false;  ///< the other side is to be told
  std::exception_ptr why_;  ///< it is closed, beyond that
  std::vector<const fiber::Waker*> watchers_;
  base::Atomic<std::uint32_t> changes_{0};  ///< read without the lock by who spins: relaxed, a hint
  detail::ClosingBell closing_;
};

}  // namespace weft::work
