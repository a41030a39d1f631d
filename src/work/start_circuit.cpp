#include "work/start_circuit.hpp"

#include <algorithm>

#include "base/limits.hpp"

namespace weft::work {

bool StartCircuit::is_open(std::uint64_t now_ns) noexcept {
  if (open_until_ns_ == 0) return false;
  if (now_ns < open_until_ns_) return true;
  open_until_ns_ = 0;
  is_probing_ = true;
  return false;
}

void StartCircuit::failed(std::uint64_t now_ns, const std::string& what, const std::string& why) {
  failures_ns_[failures_ % failures_ns_.size()] = now_ns;
  ++failures_;
  const std::uint64_t oldest = *std::min_element(failures_ns_.begin(), failures_ns_.end());
  const bool too_many = failures_ >= failures_ns_.size() && now_ns - oldest < base::kCircuitWindowNs;
  if (!too_many && !is_probing_) return;
  reason_ = "the " + what + " has stopped starting workers for 10 s, since " +
            (too_many ? "5 starts failed within 10 s" : "the attempt after the last such break failed") +
            "; the last one: " + why;
  is_probing_ = false;
  open_until_ns_ = now_ns + base::kCircuitWindowNs;
}

}  // namespace weft::work
