// gRPC over a UNIX socket: unary calls of an asynchronous client, a server with the callback API.

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

#include "echo.grpc.pb.h"
#include "harness/peer.hpp"
#include "peers/adapter.hpp"

namespace weft::bench {

namespace {

constexpr const char* kServer = "peers.grpc_server";

// In the abstract namespace: no file is left behind.
std::string address(pid_t parent) { return "unix-abstract:weft_bench." + std::to_string(parent); }

class Service final : public weft_bench::Echo::CallbackService {
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const weft_bench::Text* request,
                                   weft_bench::Text* reply) override {
    reply->set_message(request->message());
    auto* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

void serve() {
  Service service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address(::getppid()), grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) throw std::runtime_error{"the server cannot listen"};
  server->Wait();
}

class Link {
 public:
  explicit Link(const Run& run)
      : peer_{kServer, {}, run.peer_cpu()},
        channel_{grpc::CreateChannel(address(::getpid()), grpc::InsecureChannelCredentials())} {
    if (!channel_->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds{20})) {
      throw std::runtime_error{"no connection to the server"};
    }
  }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { queue_.Shutdown(); }

  void ask(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      auto call = std::make_unique<Call>();
      call->reader = stub_->AsyncAnswer(&call->context, request_, &queue_);
      Call* const tag = call.release();  // Comes back with the answer.
      tag->reader->Finish(&tag->reply, &tag->status, tag);
    }
  }
  std::size_t answers() {
    void* tag = nullptr;
    bool ok = false;
    if (!queue_.Next(&tag, &ok)) throw std::runtime_error{"the completion queue ended"};
    const std::unique_ptr<Call> call{static_cast<Call*>(tag)};
    if (!call->status.ok()) throw std::runtime_error{call->status.error_message()};
    return 1;
  }

 private:
  struct Call {
    grpc::ClientContext context;
    weft_bench::Text reply;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<weft_bench::Text>> reader;
  };

  static weft_bench::Text request() {
    weft_bench::Text text;
    text.set_message(std::string(sizeof(Message), 'w'));
    return text;
  }

  Peer peer_;
  weft_bench::Text request_ = request();
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<weft_bench::Echo::Stub> stub_ = weft_bench::Echo::NewStub(channel_);
  grpc::CompletionQueue queue_;
};

}  // namespace

bool prints_here() { return true; }

void add_adapter(std::vector<Benchmark>& to) {
  add_peer(kServer, serve);
  add_link_peer<Link>(to, "grpc", "gRPC");
}

}  // namespace weft::bench
