#pragma once

#include <string>
#include <string_view>
#include <typeinfo>
#include <weft/error.hpp>

#include "wire/failure.hpp"

namespace weft::work {

/// "std::out_of_range": demangled, without the tags that tell ABIs of one library apart.
std::string type_name(const std::type_info& type);

/// Throws the report's exception as its standard type (or weft's own) if it is one that is known here; returns if not.
void raise_if_standard(const wire::FailureReport& report, const TaskException::Facts& facts);

}  // namespace weft::work
