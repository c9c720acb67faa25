// What the front end costs, and whether anything grows. For `./dev robustness`.
//
//   soak cost      a worker that takes no time: what a request and a streamed
//                  event cost, 64 streams at a time
//   soak jobs 100000
//                  an engine with a fake pipeline: memory and descriptors on
//                  the way; exit status 1 if they grow
//
// Clients are a process of their own, so what is measured is the server's.

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/logging.h"
#include "tests/testing/fake_pipeline.h"
#include "tests/testing/front_end_rig.h"
#include "tests/testing/process_memory.h"
#include "tests/testing/server.h"

namespace genzo {
namespace {

constexpr int kStreams = 64;
constexpr int kChannels = 8;
constexpr int kRounds = 500;  // events of a stream
constexpr absl::Duration kRound = absl::Milliseconds(5);
constexpr int64_t kBlock = 10'000;  // jobs between two looks
// What allocators take and keep on the way.
constexpr double kMostGrowthMb = 16;
// A file that is being written, and its folder.
constexpr int64_t kPassingDescriptors = 2;

// --- clients, in their process -----------------------------------------------

// What clients are to do together.
struct Order {
  enum class Kind {
    kConnect,   // to port `count`
    kGenerate,  // `count` calls that are read to their end
    kMixed      // of ten calls: eight as before, one that leaves after its
                // first event, one job that is created and then watched
  };
  Kind kind;
  int64_t count;
  int at_once = kStreams;
};

struct Answer {
  int64_t events = 0;
  int64_t failures = 0;
};

template <typename T>
bool Send(int socket, const T& what) {
  return write(socket, &what, sizeof(what)) == sizeof(what);
}
template <typename T>
bool Receive(int socket, T& what) {
  return recv(socket, &what, sizeof(what), MSG_WAITALL) == sizeof(what);
}

class Clients {
 public:
  void Serve(int socket) {
    Order order;
    while (Receive(socket, order)) {
      if (order.kind == Order::Kind::kConnect) {
        Connect(static_cast<int>(order.count));
        Send(socket, Answer());
      } else {
        Send(socket, Run(order));
      }
    }
  }

 private:
  void Connect(int port) {
    channels_.clear();
    grpc::ChannelArguments own;
    own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    for (int i = 0; i < kChannels; ++i) {
      channels_.push_back(
          grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port),
                                    grpc::InsecureChannelCredentials(), own));
    }
  }

  Answer Run(const Order& order) {
    std::atomic<int64_t> next{0}, events{0}, failures{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < order.at_once; ++i) {
      threads.emplace_back([&, &channel = channels_[i % kChannels]] {
        for (int64_t n; (n = next++) < order.count;) {
          const int64_t turn = order.kind == Order::Kind::kMixed ? n % 10 : 0;
          const int64_t seen = turn == 9   ? CreateAndWatch(channel)
                               : turn == 8 ? Leave(channel)
                                           : Generate(channel);
          (seen > 0 ? events : failures) += std::max<int64_t>(1, seen);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return {events, failures};
  }

  static v1::GenerateRequest Request() {
    v1::GenerateRequest request;
    request.set_prompt("7");
    request.set_steps(4);
    return request;
  }

  // How many events came; 0 if the job did not succeed.
  static int64_t ReadAll(grpc::ClientReader<v1::JobEvent>& stream) {
    v1::JobEvent event;
    int64_t events = 0;
    bool succeeded = false;
    while (stream.Read(&event)) {
      ++events;
      succeeded = succeeded || Succeeded(event);
    }
    const grpc::Status status = stream.Finish();
    if (status.ok() && succeeded) return events;
    std::fprintf(stderr, "soak: a job failed: %s\n",
                 status.ok() ? event.ShortDebugString().c_str()
                             : status.error_message().c_str());
    return 0;
  }
  static int64_t Generate(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    return ReadAll(
        *v1::ImageGeneration::NewStub(channel)->Generate(&context, Request()));
  }
  static int64_t Leave(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    const auto stream =
        v1::ImageGeneration::NewStub(channel)->Generate(&context, Request());
    v1::JobEvent event;
    const bool came = stream->Read(&event);
    context.TryCancel();
    while (stream->Read(&event)) {
    }
    stream->Finish();
    return came ? 1 : 0;
  }
  static int64_t CreateAndWatch(const std::shared_ptr<grpc::Channel>& channel) {
    const auto stub = v1::Jobs::NewStub(channel);
    v1::CreateJobRequest request;
    *request.mutable_request() = Request();
    v1::Job job;
    grpc::ClientContext creating;
    if (!stub->CreateJob(&creating, request, &job).ok()) return 0;
    v1::WatchJobRequest watch;
    watch.set_id(job.id());
    grpc::ClientContext watching;
    return ReadAll(*stub->WatchJob(&watching, watch));
  }

  std::vector<std::shared_ptr<grpc::Channel>> channels_;
};

// The same, seen from here.
class ClientProcess {
 public:
  // To be made before there are threads.
  ClientProcess() {
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) std::abort();
    const pid_t child = fork();
    if (child < 0) std::abort();
    if (child == 0) {
      close(sockets[0]);
      Clients().Serve(sockets[1]);
      _exit(0);
    }
    close(sockets[1]);
    socket_ = sockets[0];
  }
  ~ClientProcess() { close(socket_); }  // by which it ends

  Answer Ask(const Order& order) {
    Answer answer;
    if (!Send(socket_, order) || !Receive(socket_, answer)) std::abort();
    return answer;
  }
  void Connect(const std::string& address) {
    const auto colon = address.rfind(':');
    Ask({Order::Kind::kConnect, std::stoi(address.substr(colon + 1))});
  }

 private:
  int socket_ = -1;
};

// --- what this process uses --------------------------------------------------

absl::Duration ProcessorTime() {
  rusage used = {};
  getrusage(RUSAGE_SELF, &used);
  return absl::DurationFromTimeval(used.ru_utime) +
         absl::DurationFromTimeval(used.ru_stime);
}

double ResidentMb() {
  return static_cast<double>(ProcessMemory::Now().resident) / 1e6;
}

int64_t Entries(const char* folder) {
  return std::distance(std::filesystem::directory_iterator(folder), {});
}

// --- cost
// ----------------------------------------------------------------------

int64_t MeasureRequest(ClientProcess& clients, FrontEndRig& rig) {
  std::thread worker([&rig] {
    const std::string picture(20'000, 'x');
    while (!rig.queue().Done()) {
      if (const auto lease = rig.queue().Take({})) {
        FrontEndRig::Paint(*lease, picture);
      }
    }
  });
  clients.Connect(rig.address());
  clients.Ask({Order::Kind::kGenerate, 2'000});  // threads and pools grow
  constexpr int64_t kRequests = 20'000;
  absl::Duration cpu = ProcessorTime();
  const Answer together = clients.Ask({Order::Kind::kGenerate, kRequests});
  cpu = ProcessorTime() - cpu;
  constexpr int64_t kAlone = 2'000;
  const absl::Time begin = absl::Now();
  const Answer alone = clients.Ask({Order::Kind::kGenerate, kAlone, 1});
  const absl::Duration took = absl::Now() - begin;
  rig.queue().Close();
  worker.join();
  std::printf(
      "a request, with %.1f events: %.3f ms of processor time, %d at once; "
      "one at a time it takes %.3f ms from client to client\n",
      static_cast<double>(together.events) / kRequests,
      absl::ToDoubleMilliseconds(cpu) / kRequests, kStreams,
      absl::ToDoubleMilliseconds(took) / kAlone);
  return together.failures + alone.failures;
}

int64_t MeasureEvent(ClientProcess& clients, FrontEndRig& rig) {
  clients.Connect(rig.address());
  absl::Duration cpu;
  std::thread worker([&] {
    std::vector<std::unique_ptr<JobLease>> leases;
    while (leases.size() < kStreams) {
      if (auto lease = rig.queue().Take({})) leases.push_back(std::move(lease));
    }
    cpu = ProcessorTime();
    v1::JobEvent step, preview;
    preview.mutable_preview()->mutable_picture()->set_data(
        std::string(10'000, 'x'));
    for (int round = 0; round < kRounds; ++round) {
      step.mutable_progress()->set_step(round);
      for (const auto& lease : leases) {
        lease->Post(round % 5 == 0 ? preview : step);
      }
      absl::SleepFor(kRound);  // as steps do
    }
    cpu = ProcessorTime() - cpu;
    for (const auto& lease : leases) lease->End(EndedBy(absl::OkStatus()));
  });
  const Answer answer = clients.Ask({Order::Kind::kGenerate, kStreams});
  worker.join();
  // Without `queued` and `ended`.
  const int64_t events = answer.events - 2 * kStreams;
  std::printf(
      "an event, a fifth of them previews of 10 kB: %.4f ms of processor time, "
      "%d streams; %lld of %d came, others were overtaken\n",
      absl::ToDoubleMilliseconds(cpu) / static_cast<double>(events), kStreams,
      static_cast<long long>(events), kStreams * kRounds);
  return answer.failures;
}

int Cost(ClientProcess& clients) {
  int64_t failures = 0;
  {
    FrontEndRig rig({}, /*capacity=*/256);
    failures += MeasureRequest(clients, rig);
  }
  FrontEndRig rig({}, /*capacity=*/256);
  failures += MeasureEvent(clients, rig);
  return failures == 0 ? 0 : 1;
}

// --- jobs
// ----------------------------------------------------------------------

int Jobs(ClientProcess& clients, int64_t jobs) {
  FakeBehaviour behaviour;
  behaviour.before_evaluation = [&](const std::vector<double>&) {
    behaviour.evaluations.clear();  // nobody asks
  };
  const auto fakes = [&](const Placement&) {
    return ModelSource{
        .bytes = [](const ModelFiles&) { return int64_t{1}; },
        .load = [&](const ModelFiles&) -> absl::StatusOr<ModelRef> {
          return std::make_shared<FakePipeline>(behaviour);
        }};
  };
  const TestFolder folder;
  Config config = TinyConfig();
  config.threads = 1;
  config.queue_capacity = 4 * kStreams;  // who leaves makes room a step later
  config.jobs.results_folder = folder.path() + "/results";
  config.jobs.most_jobs = 1000;  // as many as the first block creates
  const Server server(config, fakes);
  clients.Connect(server.address());
  double first_mb = 0;
  int64_t first_descriptors = 0;
  double mb = 0;
  int64_t descriptors = 0, failures = 0;
  const absl::Time begin = absl::Now();
  for (int64_t done = 0; done < jobs;) {
    const int64_t block = std::min(kBlock, jobs - done);
    failures += clients.Ask({Order::Kind::kMixed, block}).failures;
    done += block;
    mb = ResidentMb();
    descriptors = Entries("/proc/self/fd");
    if (first_descriptors == 0) {
      first_mb = mb;
      first_descriptors = descriptors;
    }
    std::printf(
        "%lld jobs: %.1f MB, %lld descriptors, %lld threads, %lld failures, "
        "%.0f s\n",
        static_cast<long long>(done), mb, static_cast<long long>(descriptors),
        static_cast<long long>(Entries("/proc/self/task")),
        static_cast<long long>(failures),
        absl::ToDoubleSeconds(absl::Now() - begin));
    std::fflush(stdout);
  }
  return failures == 0 &&
                 descriptors <= first_descriptors + kPassingDescriptors &&
                 mb - first_mb <= kMostGrowthMb
             ? 0
             : 1;
}

int Main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const int64_t jobs = argc > 2 ? std::atoll(argv[2]) : 0;
  if (what != "cost" && (what != "jobs" || jobs <= 0)) {
    std::fprintf(stderr, "usage: soak cost | soak jobs NUMBER\n");
    return 2;
  }
  ClientProcess clients;
  if (!InitLogging("info", "text").ok()) return 2;
  return what == "cost" ? Cost(clients) : Jobs(clients, jobs);
}

}  // namespace
}  // namespace genzo

int main(int argc, char** argv) { return genzo::Main(argc, argv); }
