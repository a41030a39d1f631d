#include "memory/arena.hpp"

#include "memory/arena_core.hpp"

namespace weft::memory {

Arena::Arena(const ArenaOptions& options) : core_{new ArenaCore{options}} { core_->pin(); }

Arena::~Arena() { core_->close(); }

base::Result<Block> Arena::allocate(std::uint64_t bytes) { return core_->allocate(bytes); }

void Arena::trim(std::uint64_t keep_bytes) noexcept { core_->trim(keep_bytes); }

ArenaStats Arena::stats() const noexcept { return core_->stats(); }

}  // namespace weft::memory
