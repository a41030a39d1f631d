#include "interrupt.hpp"

namespace weft_cli {
namespace {

volatile std::sig_atomic_t count_of_signals = 0;
volatile std::sig_atomic_t last_signal = 0;

extern "C" void note_signal(int signal) {
  last_signal = signal;
  count_of_signals = count_of_signals + 1;
  if (count_of_signals < 2) return;
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

void install(int signal, struct sigaction& before) {
  ::sigaction(signal, nullptr, &before);
  if (before.sa_handler == SIG_IGN) return;
  struct sigaction noting {};
  noting.sa_handler = &note_signal;
  noting.sa_flags = SA_RESTART;  // Or a line on its way to a pipe would break off.
  sigemptyset(&noting.sa_mask);
  ::sigaction(signal, &noting, nullptr);
}

}  // namespace

Interrupt::Interrupt() {
  count_of_signals = 0;
  last_signal = 0;
  install(SIGINT, interrupt_before_);
  install(SIGTERM, terminate_before_);
}

Interrupt::~Interrupt() {
  ::sigaction(SIGINT, &interrupt_before_, nullptr);
  ::sigaction(SIGTERM, &terminate_before_, nullptr);
}

int Interrupt::count() const { return count_of_signals; }

int Interrupt::signal() const { return last_signal; }

}  // namespace weft_cli
