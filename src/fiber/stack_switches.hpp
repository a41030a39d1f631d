#pragma once
// AddressSanitizer and the stacks of fibers. Included by reactor.cpp alone; nothing is left of it in other builds.
//
// ASan has to know which stack a thread stands on: when an exception is thrown it clears the marks of the frames that
// are left, from the stack pointer up to the end of the stack, and where it takes that for another stack's end the
// marks stay, to be reported later as overflows of innocent variables. Boost.Fiber as it is packaged does not tell it.
// All its switches but one kind go through our algorithm's pick_next(), so that is where we tell it:
//
// - pick_next() announces the switch to the context that it returns; the scheduler makes it at once.
// - That the switch is over is told only at the thread's next one, since contexts resume inside Boost, where we have no
//   code. In between ASan knows both stacks and asks the stack pointer which one it is.
// - A fiber's context lies at the top of its stack, which gives one end; the other is where the allocation ends or,
//   for stacks of mmap, where memory stops being readable: at the guard page.
//
// LeakSanitizer looks for pointers on the stack that each thread stands on. So that what only a suspended fiber holds is
// no leak when the program ends while other threads, a worker's among them, still run, all stacks are registered as roots,
// those of fibers as soon as they are ready for the first time.
//
// Not covered: a fiber started by launch::dispatch, which Boost resumes past the algorithm, until it suspends for the
// first time; the unwinding of fibers that are destroyed before they end; threads whose fibers another algorithm
// schedules.

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_ADDRESS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WEFT_ADDRESS_SANITIZER 1
#endif

#include <boost/fiber/context.hpp>

#if defined(WEFT_ADDRESS_SANITIZER)

#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#include <sys/uio.h>
#include <unistd.h>

#include <boost/fiber/properties.hpp>
#include <cstddef>
#include <cstdint>

namespace weft::fiber {

/// What is to be known of a context's stack; goes with the context.
class StackNote final : public boost::fibers::fiber_properties {
 public:
  explicit StackNote(boost::fibers::context& context) : fiber_properties{&context} {
    if (context.is_context(boost::fibers::type::main_context)) {
      use_stack_of_thread();
    } else {
      is_fiber_ = true;
      use_stack_below(&context);
      // The memory may have been a stack before, whose last frames were left by a jump and not by a return.
      __asan_unpoison_memory_region(bottom, size);
    }
    root_bytes_ = bytes_to_end();
    __lsan_register_root_region(bottom, root_bytes_);
  }

  /// Nor must anything else find those marks that is mapped where a fiber's stack was.
  ~StackNote() override {
    __lsan_unregister_root_region(bottom, root_bytes_);
    if (is_fiber_) __asan_unpoison_memory_region(bottom, size);
  }
  StackNote(const StackNote&) = delete;
  StackNote& operator=(const StackNote&) = delete;

  /// nullptr where the context already has properties, of somebody else's.
  static StackNote* of(boost::fibers::context& context) {
    if (context.get_properties() == nullptr) context.set_properties(new StackNote{context});
    return dynamic_cast<StackNote*>(context.get_properties());
  }

  const void* bottom = nullptr;
  std::size_t size = 0;
  void* fake_stack = nullptr;  // ASan's own, for detect_stack_use_after_return

 private:
  bool is_fiber_ = false;
  std::size_t root_bytes_ = 0;
  static constexpr std::uintptr_t kPage = 4096;
  static constexpr std::uintptr_t kStackBytesMax = std::uintptr_t{64} << 20;  // what ASan clears at most

  /// With the context, which holds what a fiber that has not begun will run.
  [[nodiscard]] std::size_t bytes_to_end() const noexcept {
    const auto begin = reinterpret_cast<std::uintptr_t>(bottom);
    return begin == 0 ? 0 : ((begin + size) | (kPage - 1)) + 1 - begin;
  }

  void use_stack_of_thread() noexcept {
    pthread_attr_t attributes;
    if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return;
    void* address = nullptr;
    if (::pthread_attr_getstack(&attributes, &address, &size) == 0) bottom = address;
    ::pthread_attr_destroy(&attributes);
  }

  void use_stack_below(void* top) noexcept {
    char name[1];
    void* heap = nullptr;
    std::size_t heap_bytes = 0;
    __asan_locate_address(top, name, sizeof name, &heap, &heap_bytes);
    const auto end = reinterpret_cast<std::uintptr_t>(top);
    auto begin = reinterpret_cast<std::uintptr_t>(heap);
    if (begin == 0 || begin >= end || end - begin > kStackBytesMax) {
      begin = end & ~(kPage - 1);
      while (end - begin < kStackBytesMax && is_readable(begin - 1)) begin -= kPage;
    }
    bottom = reinterpret_cast<const void*>(begin);
    size = end - begin;
  }

  /// By the kernel, so that a guard page is an error and no signal.
  static bool is_readable(std::uintptr_t address) noexcept {
    char byte = 0;
    iovec local{&byte, 1};
    iovec remote{reinterpret_cast<void*>(address), 1};
    return ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == 1;
  }
};

/// The switches of one thread. Owner: its algorithm.
class StackSwitches {
 public:
  StackSwitches() = default;
  StackSwitches(const StackSwitches&) = delete;
  StackSwitches& operator=(const StackSwitches&) = delete;
  ~StackSwitches() { finish(); }

  /// `context` is ready to run, perhaps for the first time.
  void note(boost::fibers::context& context) { static_cast<void>(StackNote::of(context)); }

  /// The thread is about to switch to `next`.
  void begin(boost::fibers::context& next) {
    finish();
    if (on_ == nullptr) on_ = StackNote::of(*boost::fibers::context::active());
    StackNote* const to = StackNote::of(next);
    if (on_ == nullptr || to == nullptr) return;
    __sanitizer_start_switch_fiber(&on_->fake_stack, to->bottom, to->size);
    on_ = to;
    fake_stack_ = to->fake_stack;
    pending_ = true;
  }

 private:
  void finish() noexcept {
    if (!pending_) return;
    pending_ = false;
    __sanitizer_finish_switch_fiber(fake_stack_, nullptr, nullptr);
  }

  StackNote* on_ = nullptr;     // whose stack ASan takes this thread to stand on, or to be about to
  void* fake_stack_ = nullptr;  // of that one: at the thread's end its note is gone before this
  bool pending_ = false;
};

}  // namespace weft::fiber

#else

namespace weft::fiber {

class StackSwitches {
 public:
  void note(boost::fibers::context&) noexcept {}
  void begin(boost::fibers::context&) noexcept {}
};

}  // namespace weft::fiber

#endif
