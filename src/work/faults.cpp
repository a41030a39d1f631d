#include "work/faults.hpp"

namespace weft::work {

std::exception_ptr error_of(const base::Fault& fault) {
  using Kind = base::Fault::Kind;
  switch (fault.kind) {
    case Kind::exhausted:
      return std::make_exception_ptr(Exhausted{fault.message});
    case Kind::violation:
      return std::make_exception_ptr(ProtocolViolation{fault.message});
    case Kind::incompatible:
      return std::make_exception_ptr(Incompatible{fault.message});
    case Kind::encoding:
      return std::make_exception_ptr(EncodingError{fault.message});
    case Kind::system:
      break;
  }
  return std::make_exception_ptr(Error{fault.message, {}});
}

void throw_fault(const base::Fault& fault) { std::rethrow_exception(error_of(fault)); }

}  // namespace weft::work
