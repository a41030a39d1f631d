#pragma once

#include "process/module.hpp"
#include "ring/lane.hpp"
#include "wire/control.hpp"

namespace weft::work {

/// Which build, layout and schema this process speaks.
inline wire::Identity own_identity() {
  wire::Identity identity;
  identity.layout_version = ring::kLayoutVersion;
  const process::BuildId& id = process::main_module().build_id;
  identity.build_id.assign(id.bytes.begin(), id.bytes.begin() + id.size);
  return identity;
}

}  // namespace weft::work
