#pragma once
// Faults for the kernel's limits on processes and descriptors: each names the limit, its present value and
// how to raise it, so that whoever reads the error need not look anything up.

#include "base/result.hpp"

namespace weft::process {

/// No further process can be made (EAGAIN or ENOMEM of clone). `what` says what was being done.
base::Fault out_of_processes(const std::string& what, int error);

/// No further descriptor can be made (EMFILE, or ENFILE for the whole machine).
base::Fault out_of_descriptors(const std::string& what, int error);

}  // namespace weft::process
