#ifndef GENZO_TESTS_TOOLS_BENCH_FAKE_SERVER_H_
#define GENZO_TESTS_TOOLS_BENCH_FAKE_SERVER_H_

#include <functional>
#include <memory>

#include "genzo/v1/image_generation.grpc.pb.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/server_builder.h"

namespace genzo {

// A gRPC server on a free port that answers Generate as a test tells it, each
// call on a thread of its own.
class FakeServer {
 public:
  using Writer = grpc::ServerWriter<v1::JobEvent>;
  using Answer = std::function<grpc::Status(grpc::ServerContext& context,
                                            const v1::GenerateRequest& request,
                                            Writer& writer)>;

  explicit FakeServer(Answer answer) : service_(std::move(answer)) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = v1::ImageGeneration::NewStub(
        grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                            grpc::InsecureChannelCredentials()));
  }

  v1::ImageGeneration::Stub& stub() { return *stub_; }

  static void WriteProgress(Writer& writer, uint32_t step) {
    v1::JobEvent event;
    event.mutable_progress()->set_step(step);
    writer.Write(event);
  }

  // A progress event and a picture.
  static grpc::Status Paint(grpc::ServerContext& context,
                            const v1::GenerateRequest& request,
                            Writer& writer) {
    WriteProgress(writer, 1);
    v1::JobEvent event;
    event.mutable_image()->mutable_picture()->set_data("png");
    writer.Write(event);
    return grpc::Status::OK;
  }

  // Steps until the client goes away.
  static grpc::Status StepForever(grpc::ServerContext& context,
                                  const v1::GenerateRequest& request,
                                  Writer& writer) {
    v1::JobEvent event;
    event.mutable_progress();
    do {
      event.mutable_progress()->set_step(event.progress().step() + 1);
    } while (writer.Write(event));
    return grpc::Status::CANCELLED;
  }

 private:
  class Service : public v1::ImageGeneration::Service {
   public:
    explicit Service(Answer answer) : answer_(std::move(answer)) {}
    grpc::Status Generate(grpc::ServerContext* context,
                          const v1::GenerateRequest* request,
                          Writer* writer) override {
      return answer_(*context, *request, *writer);
    }

   private:
    const Answer answer_;
  };

  Service service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::ImageGeneration::Stub> stub_;
};

}  // namespace genzo

#endif  // GENZO_TESTS_TOOLS_BENCH_FAKE_SERVER_H_
