#ifndef GENZO_TESTS_CLIENT_FAKE_SERVER_H_
#define GENZO_TESTS_CLIENT_FAKE_SERVER_H_

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "client/status_report.h"
#include "genzo/v1/image_generation.grpc.pb.h"
#include "genzo/v1/jobs.grpc.pb.h"
#include "genzo/v1/lora_registry.grpc.pb.h"
#include "genzo/v1/model_admin.grpc.pb.h"
#include "genzo/v1/model_registry.grpc.pb.h"
#include "genzo/v1/scoring.grpc.pb.h"
#include "genzo/v1/upscaling.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"

namespace genzo {

// What one call that streams is answered with.
struct StreamAnswer {
  std::vector<v1::JobEvent> events;
  grpc::Status status;  // after them
  // Between the two.
  std::function<void(const grpc::ServerContext&)> then = nullptr;
};

// What calls are answered with, and what they asked for. Set before the call,
// looked at after it.
struct Answers {
  grpc::Status status;  // of every call; messages are sent before it
  std::vector<v1::JobEvent> events;
  std::deque<StreamAnswer> streams;  // of the first calls, in place of `events`
  v1::Job job;
  std::deque<v1::ListJobsResponse> job_pages;
  std::deque<v1::LoraRegistryListResponse> lora_pages;
  std::deque<v1::ListModelsResponse> model_pages;
  v1::Model model;
  v1::ScoreResponse scores;
  v1::ListUpscalersResponse upscalers;
  v1::ListScorersResponse scorers;
  std::vector<std::string> asked;  // methods and their requests as text
  std::string api_key, tenant;     // of the last call
};

// A Genzo server without anything behind it, on a port of its own.
class FakeServer {
 public:
  FakeServer() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    for (grpc::Service* service : std::initializer_list<grpc::Service*>{
             &generation_, &jobs_, &loras_, &models_, &admin_, &scoring_,
             &upscaling_}) {
      builder.RegisterService(service);
    }
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
  }

  const std::string& address() const { return address_; }
  Answers answers;

  // After a call what it asked for can be looked at: gRPC sees to that, but
  // where ThreadSanitizer does not look.
  void Settle() { const absl::MutexLock lock(&mutex_); }

 private:
  template <typename Request>
  grpc::Status Note(const char* method, const grpc::ServerContext& context,
                    const Request& request) {
    const absl::MutexLock lock(&mutex_);
    answers.asked.push_back(
        absl::StrCat(method, " ", request.ShortDebugString()));
    answers.api_key = Header(context, "x-api-key");
    answers.tenant = Header(context, "x-genzo-tenant");
    return answers.status;
  }

  static std::string Header(const grpc::ServerContext& context,
                            const char* name) {
    const auto& metadata = context.client_metadata();
    const auto header = metadata.find(name);
    return header == metadata.end()
               ? ""
               : std::string(header->second.data(), header->second.size());
  }

  template <typename Pages, typename Page>
  static void Next(Pages& pages, Page* page) {
    if (pages.empty()) return;
    *page = pages.front();
    pages.pop_front();
  }

  grpc::Status Send(const grpc::ServerContext& context,
                    const grpc::Status& status,
                    grpc::ServerWriter<v1::JobEvent>* writer) {
    StreamAnswer answer = {.events = answers.events, .status = status};
    {
      const absl::MutexLock lock(&mutex_);
      if (!answers.streams.empty()) Next(answers.streams, &answer);
    }
    for (const v1::JobEvent& event : answer.events) writer->Write(event);
    if (answer.then) answer.then(context);
    return answer.status;
  }

  struct Generation : v1::ImageGeneration::Service {
    explicit Generation(FakeServer& fake) : server(fake) {}
    grpc::Status Generate(grpc::ServerContext* context,
                          const v1::GenerateRequest* request,
                          grpc::ServerWriter<v1::JobEvent>* writer) override {
      return server.Send(*context, server.Note("Generate", *context, *request),
                         writer);
    }
    FakeServer& server;
  };

  struct Jobs : v1::Jobs::Service {
    explicit Jobs(FakeServer& fake) : server(fake) {}
    grpc::Status CreateJob(grpc::ServerContext* context,
                           const v1::CreateJobRequest* request,
                           v1::Job* job) override {
      *job = server.answers.job;
      return server.Note("CreateJob", *context, *request);
    }
    grpc::Status GetJob(grpc::ServerContext* context,
                        const v1::GetJobRequest* request,
                        v1::Job* job) override {
      *job = server.answers.job;
      return server.Note("GetJob", *context, *request);
    }
    grpc::Status ListJobs(grpc::ServerContext* context,
                          const v1::ListJobsRequest* request,
                          v1::ListJobsResponse* page) override {
      Next(server.answers.job_pages, page);
      return server.Note("ListJobs", *context, *request);
    }
    grpc::Status WatchJob(grpc::ServerContext* context,
                          const v1::WatchJobRequest* request,
                          grpc::ServerWriter<v1::JobEvent>* writer) override {
      return server.Send(*context, server.Note("WatchJob", *context, *request),
                         writer);
    }
    grpc::Status CancelJob(grpc::ServerContext* context,
                           const v1::CancelJobRequest* request,
                           v1::Job* job) override {
      *job = server.answers.job;
      return server.Note("CancelJob", *context, *request);
    }
    FakeServer& server;
  };

  struct Loras : v1::LoraRegistry::Service {
    explicit Loras(FakeServer& fake) : server(fake) {}
    grpc::Status List(grpc::ServerContext* context,
                      const v1::LoraRegistryListRequest* request,
                      v1::LoraRegistryListResponse* page) override {
      Next(server.answers.lora_pages, page);
      return server.Note("List", *context, *request);
    }
    FakeServer& server;
  };

  struct Models : v1::ModelRegistry::Service {
    explicit Models(FakeServer& fake) : server(fake) {}
    grpc::Status ListModels(grpc::ServerContext* context,
                            const v1::ListModelsRequest* request,
                            v1::ListModelsResponse* page) override {
      Next(server.answers.model_pages, page);
      return server.Note("ListModels", *context, *request);
    }
    FakeServer& server;
  };

  struct Admin : v1::ModelAdmin::Service {
    explicit Admin(FakeServer& fake) : server(fake) {}
    grpc::Status LoadModel(grpc::ServerContext* context,
                           const v1::LoadModelRequest* request,
                           v1::Model* model) override {
      *model = server.answers.model;
      return server.Note("LoadModel", *context, *request);
    }
    grpc::Status UnloadModel(grpc::ServerContext* context,
                             const v1::UnloadModelRequest* request,
                             v1::Model* model) override {
      *model = server.answers.model;
      return server.Note("UnloadModel", *context, *request);
    }
    grpc::Status DrainModel(grpc::ServerContext* context,
                            const v1::DrainModelRequest* request,
                            v1::Model* model) override {
      *model = server.answers.model;
      return server.Note("DrainModel", *context, *request);
    }
    FakeServer& server;
  };

  struct Scoring : v1::PictureScoring::Service {
    explicit Scoring(FakeServer& fake) : server(fake) {}
    grpc::Status Score(grpc::ServerContext* context,
                       const v1::ScoreRequest* request,
                       v1::ScoreResponse* response) override {
      *response = server.answers.scores;
      return server.Note("Score", *context, *request);
    }
    grpc::Status ListScorers(grpc::ServerContext* context,
                             const v1::ListScorersRequest* request,
                             v1::ListScorersResponse* response) override {
      *response = server.answers.scorers;
      return server.Note("ListScorers", *context, *request);
    }
    FakeServer& server;
  };

  struct Upscaling : v1::Upscaling::Service {
    explicit Upscaling(FakeServer& fake) : server(fake) {}
    grpc::Status Upscale(grpc::ServerContext* context,
                         const v1::UpscaleRequest* request,
                         grpc::ServerWriter<v1::JobEvent>* writer) override {
      return server.Send(*context, server.Note("Upscale", *context, *request),
                         writer);
    }
    grpc::Status ListUpscalers(grpc::ServerContext* context,
                               const v1::ListUpscalersRequest* request,
                               v1::ListUpscalersResponse* response) override {
      *response = server.answers.upscalers;
      return server.Note("ListUpscalers", *context, *request);
    }
    FakeServer& server;
  };

  Generation generation_{*this};
  Jobs jobs_{*this};
  Loras loras_{*this};
  Models models_{*this};
  Admin admin_{*this};
  Scoring scoring_{*this};
  Upscaling upscaling_{*this};
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  absl::Mutex mutex_;
};

// What became of a command.
struct Outcome {
  ExitStatus status = kExitOk;
  std::string out;
  std::string error;
};

// `genzo WORDS`, of which `Command` knows the first.
template <typename Command>
Outcome RunCommand(const std::string& server, std::vector<std::string> words) {
  CLI::App app("", "genzo");
  app.fallthrough();
  Command command(app, server);
  std::reverse(words.begin(), words.end());
  app.parse(words);
  EXPECT_TRUE(command.parsed());
  Outcome outcome;
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  outcome.status = command.Run();
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.error = ::testing::internal::GetCapturedStderr();
  return outcome;
}

}  // namespace genzo

#endif  // GENZO_TESTS_CLIENT_FAKE_SERVER_H_
