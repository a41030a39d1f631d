// weft itself on the peers' terms.

#include "peers/pattern.hpp"
#include "peers/peers.hpp"
#include "weft_pool.hpp"

namespace weft::bench {

namespace {

Message echo(Message message) { return message; }

class Tasks {
 public:
  explicit Tasks(Run& run) : pinned_{run} {}
  auto submit(const Message& message) { return pinned_.pool.submit<echo>(message); }

 private:
  PinnedPool pinned_;
};

// The pool counts the CPUs that it may use, so it is made before anything is pinned.
void round_trips(Run& run) {
  Tasks tasks{run};
  const Message message{};
  run.each_for(kPeerTime, [&] { keep(tasks.submit(message).get()); });
}

void pipelined(Run& run) {
  Tasks tasks{run};
  const Message message{};
  InFlight flying{kPeerInFlight, [&] { return tasks.submit(message); }};
  run.rate_for(kPeerTime, [&] { return flying.pass(kPeerInFlight); });
}

}  // namespace

void add_weft_as_peer(std::vector<Benchmark>& to) {
  to.push_back({{{"task.32B.round_trip", "ns", "peers.round_trip", "weft task"}}, round_trips});
  to.push_back({{{"task.32B.pipelined", "1/s", "peers.pipelined", "weft task"}}, pipelined});
}

}  // namespace weft::bench
