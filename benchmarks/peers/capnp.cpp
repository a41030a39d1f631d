// Cap'n Proto: two-party RPC over a UNIX socket, an event loop on each side.

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <sys/socket.h>

#include <cerrno>
#include <deque>
#include <optional>
#include <system_error>
#include <utility>

#include "base/unique_fd.hpp"
#include "echo.capnp.h"
#include "harness/peer.hpp"
#include "peers/adapter.hpp"

namespace weft::bench {

namespace {

constexpr const char* kServer = "peers.capnp_server";

class Server final : public Echo::Server {
 protected:
  kj::Promise<void> echo(EchoContext context) override {
    context.getResults().setMessage(context.getParams().getMessage());
    return kj::READY_NOW;
  }
};

void serve() {
  auto io = kj::setupAsyncIo();
  capnp::TwoPartyServer server{kj::heap<Server>()};
  server.accept(io.lowLevelProvider->wrapSocketFd(peer_fd(0)));
  kj::Promise<void>{kj::NEVER_DONE}.wait(io.waitScope);
}

struct Sockets {
  base::UniqueFd mine, theirs;
  Sockets() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      throw std::system_error{errno, std::system_category(), "socketpair"};
    }
    mine.reset(ends[0]);
    theirs.reset(ends[1]);
  }
};

class Link {
 public:
  explicit Link(const Run& run) : peer_{kServer, {sockets_.theirs.get()}, run.peer_cpu()} {}

  void ask(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      auto request = echo_.echoRequest();
      request.setMessage(kj::arrayPtr(reinterpret_cast<const kj::byte*>(message_.data()), message_.size()));
      flying_.push_back(request.send());
    }
  }
  std::size_t answers() {
    const auto answer = std::move(flying_.front()).wait(io_.waitScope);
    flying_.pop_front();
    return answer.getMessage().size() == message_.size() ? 1 : throw std::runtime_error{"another answer"};
  }

 private:
  Sockets sockets_;
  Peer peer_;
  Message message_{};
  kj::AsyncIoContext io_ = kj::setupAsyncIo();
  kj::Own<kj::AsyncIoStream> stream_ = io_.lowLevelProvider->wrapSocketFd(sockets_.mine.get());
  capnp::TwoPartyClient client_{*stream_};
  Echo::Client echo_ = client_.bootstrap().castAs<Echo>();
  std::deque<capnp::RemotePromise<Echo::EchoResults>> flying_;
};

}  // namespace

bool prints_here() { return true; }

void add_adapter(std::vector<Benchmark>& to) {
  add_peer(kServer, serve);
  add_link_peer<Link>(to, "capnp", "Cap'n Proto");
}

}  // namespace weft::bench
