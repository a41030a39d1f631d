#include <fcntl.h>

#include <cerrno>
#include <string>
#include <weft/descriptor.hpp>
#include <weft/error.hpp>

#include "base/unique_fd.hpp"
#include "link/buffer_box.hpp"
#include "process/limits.hpp"
#include "work/faults.hpp"

namespace weft {

namespace {

[[noreturn]] void refuse(int descriptor) {
  throw ArgumentError{"descriptor " + std::to_string(descriptor) + " is not open"};
}

}  // namespace

Descriptor::Descriptor(int descriptor) {
  const int flags = ::fcntl(descriptor, F_GETFD);
  if (flags < 0) refuse(descriptor);
  file_ = detail::BufferBox::make_file(descriptor);
  number_ = descriptor;
  ::fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC);
}

Descriptor Descriptor::copy_of(int descriptor) {
  base::UniqueFd copy{::fcntl(descriptor, F_DUPFD_CLOEXEC, 0)};
  if (!copy && errno == EBADF) refuse(descriptor);
  if (!copy) work::throw_fault(process::out_of_descriptors("cannot copy a descriptor", errno));
  Descriptor made{detail::BufferBox::make_file(copy.get()), copy.get()};
  static_cast<void>(copy.release());
  return made;
}

Descriptor Descriptor::arrived(const Buffer& attachment) {
  const detail::BufferBox* const box = detail::BufferBox::of(attachment);
  if (box == nullptr) return {};
  if (!box->is_file) throw EncodingError{"weft: expected a descriptor, found a buffer"};
  if (!box->file)
    work::throw_fault(process::out_of_descriptors("a descriptor was sent and could not be received", EMFILE));
  return {attachment, box->file.get()};
}

}  // namespace weft
