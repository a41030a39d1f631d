#pragma once

#include <exception>
#include <weft/error.hpp>

#include "base/result.hpp"

namespace weft::work {

/// The public error for a Fault from below.
std::exception_ptr error_of(const base::Fault& fault);
[[noreturn]] void throw_fault(const base::Fault& fault);

}  // namespace weft::work
