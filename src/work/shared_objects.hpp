#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <weft/detail/gate.hpp>
#include <weft/rate_limit.hpp>

#include "work/shared_home.hpp"

namespace weft::work {

/// Permits, for each key so many; and maybe a value, for whoever has the permit.
class SharedPermits final : public HomeObject {
 public:
  SharedPermits(std::uint64_t id_, std::size_t permits,
                std::shared_ptr<const detail::SharedValue> value = nullptr)
      : HomeObject{id_}, permits_{permits}, value_{std::move(value)} {}

  const char* ask(Visit& visit, const Asked& asked) override;
  void served(Visit& visit) noexcept override;
  void leave(Visit& visit) noexcept override;
  void abandon(const Holding& what, std::size_t count) noexcept override;
  void close() noexcept override;

 private:
  struct Line {
    explicit Line(std::size_t permits) : gate{permits} {}
    detail::Gate gate;
    std::size_t held_here = 0;  ///< by this process
    bool abandoned = false;     ///< somebody died with permits of it, and nobody was told yet
  };
  using Lines = std::map<std::string, Line, std::less<>>;

  const char* take(Visit& visit, const Asked& asked);
  const char* give(Visit& visit, const Asked& asked);
  const char* store(Visit& visit, const Asked& asked);
  void forget_if_unused(Lines::value_type& entry) noexcept;

  const std::size_t permits_;
  std::shared_ptr<const detail::SharedValue> value_;
  Lines lines_;
};

class SharedBarrier final : public HomeObject {
 public:
  SharedBarrier(std::uint64_t id_, std::size_t expected) : HomeObject{id_}, expected_{expected}, gate_{0} {}

  const char* ask(Visit& visit, const Asked& asked) override;
  void served(Visit& visit) noexcept override;
  void leave(Visit& visit) noexcept override;
  void abandon(const Holding&, std::size_t) noexcept override {}
  void close() noexcept override { gate_.shut(); }

 private:
  void open() noexcept;

  std::size_t expected_;
  std::size_t arrived_ = 0;
  detail::Gate gate_;
};

/// Nobody waits at it: whoever asks is told when his turn is, and waits where he is.
class SharedRate final : public HomeObject {
 public:
  SharedRate(std::uint64_t id_, std::size_t permits, std::chrono::nanoseconds interval)
      : HomeObject{id_}, bucket_{permits, interval} {}

  const char* ask(Visit& visit, const Asked& asked) override;
  void served(Visit&) noexcept override {}
  void leave(Visit&) noexcept override {}
  void abandon(const Holding&, std::size_t) noexcept override {}
  void close() noexcept override {}

 private:
  detail::TokenBucket bucket_;
};

}  // namespace weft::work
