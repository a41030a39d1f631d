// OpenMPI: two ranks that mpirun starts, over shared memory. Rank 0 asks, rank 1 answers; both spin, as MPI does.

// The C++ bindings were taken out of MPI long ago; OpenMPI would link a library for them.
#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

#include "peers/adapter.hpp"

namespace weft::bench {

namespace {

constexpr int kMessageTag = 0;
constexpr int kEndTag = 1;

class Ranks {
 public:
  Ranks() {
    MPI_Init(nullptr, nullptr);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  }
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;
  ~Ranks() { MPI_Finalize(); }
  [[nodiscard]] int rank() const noexcept { return rank_; }

 private:
  int rank_ = 0;
};

// Made in main(), before the benchmarks: everything else of MPI's lies between its first use and the program's end.
const Ranks& ranks() {
  static const Ranks both;
  return both;
}

void send(const Message& message, int to, int tag) {
  MPI_Send(message.data(), static_cast<int>(message.size()), MPI_BYTE, to, tag, MPI_COMM_WORLD);
}

int receive(Message& message, int from) {
  MPI_Status status;
  MPI_Recv(message.data(), static_cast<int>(message.size()), MPI_BYTE, from, MPI_ANY_TAG, MPI_COMM_WORLD,
           &status);
  return status.MPI_TAG;
}

class Link {
 public:
  explicit Link(const Run&) {}
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { send(message_, 1, kEndTag); }
  void ask(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) send(message_, 1, kMessageTag);
  }
  std::size_t answers() {
    receive(message_, 1);
    return 1;
  }

 private:
  Message message_{};
};

void answer(const Run& run) {
  pin(run.peer_cpu());
  Message message{};
  while (receive(message, 0) != kEndTag) send(message, 0, kMessageTag);
}

template <void (*ask)(Run&)>
void either(Run& run) {
  if (ranks().rank() == 0) {
    ask(run);
  } else {
    answer(run);
  }
}

}  // namespace

bool prints_here() { return ranks().rank() == 0; }

void add_adapter(std::vector<Benchmark>& to) {
  ranks();
  to.push_back({{round_trip_of("openmpi", "OpenMPI")}, either<link_round_trips<Link>>});
  to.push_back({{pipelined_of("openmpi", "OpenMPI")}, either<link_pipelined<Link>>});
}

}  // namespace weft::bench
