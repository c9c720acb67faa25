#include "client/jobs_command.h"

#include <algorithm>
#include <iostream>
#include <limits>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/errors.h"
#include "base/proto_time.h"
#include "base/request_rules.h"
#include "base/utf8.h"
#include "client/connection.h"
#include "client/event_printer.h"
#include "client/file_names.h"
#include "client/message_json.h"
#include "genzo/v1/jobs.grpc.pb.h"

namespace genzo {
namespace {

constexpr int kPageSize = 1000;
constexpr int kAllTries = std::numeric_limits<int>::max();

std::string StateName(v1::JobState state) {
  return absl::AsciiStrToLower(
      absl::StripPrefix(v1::JobState_Name(state), "JOB_STATE_"));
}

std::map<std::string, v1::JobState> StateNames() {
  std::map<std::string, v1::JobState> names;
  for (int state = v1::JOB_STATE_QUEUED; state <= v1::JOB_STATE_EXPIRED;
       ++state) {
    names[StateName(static_cast<v1::JobState>(state))] =
        static_cast<v1::JobState>(state);
  }
  return names;
}

void PrintLine(const v1::Job& job) {
  std::cout << absl::StrFormat(
      "%s  %-9s  %s  %u of %u steps  %u images", job.id(),
      StateName(job.state()),
      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", FromProto(job.create_time()),
                       absl::UTCTimeZone()),
      job.steps_done(), job.steps_total(), job.images_done());
  if (job.has_status()) std::cout << "  " << Printable(job.status().message());
  std::cout << "\n";
}

// What a job's end means for a script.
ExitStatus ExitStatusOfEnd(const v1::Ended& ended) {
  if (ended.state() == v1::JOB_STATE_SUCCEEDED) return kExitOk;
  std::cerr << "genzo: the job ended: " << Printable(ended.status().message())
            << std::endl;
  const ExitStatus status = ExitStatusOf(
      grpc::Status(static_cast<grpc::StatusCode>(ended.status().code()), ""));
  return status == kExitOk ? kExitFailed : status;  // it gave no reason
}

// Reads one call to its end; `ended` is the job's, if that came.
grpc::Status ReadEvents(v1::Jobs::Stub& stub, const v1::WatchJobRequest& watch,
                        PictureSink& sink, Reconnection& reconnection,
                        v1::Ended& ended) {
  grpc::ClientContext context;
  const auto stream = stub.WatchJob(&context, watch);
  v1::JobEvent event;
  bool has_ended = false;
  while (stream->Read(&event)) {
    reconnection.Heard();
    has_ended = event.has_ended();
    if (has_ended) ended = event.ended();
    sink.Take(std::move(event));
  }
  const grpc::Status status = stream->Finish();
  // Whatever became of the connection after it.
  return has_ended ? grpc::Status::OK : status;
}

}  // namespace

JobsCommand::JobsCommand(CLI::App& app, const std::string& server,
                         absl::Duration first_rest)
    : list_(app.add_subcommand("jobs", "list your jobs, the newest first")),
      watch_(app.add_subcommand("watch", "follow a job, write its pictures")),
      cancel_(app.add_subcommand("cancel", "end a job")),
      server_(server),
      first_rest_(first_rest) {
  std::vector<std::string> names;
  for (const auto& [name, _] : StateNames()) names.push_back(name);
  list_->add_option("--state", states_, "only jobs in these states")
      ->delimiter(',')
      ->check(CLI::IsMember(names));
  for (CLI::App* command : {watch_, cancel_}) {
    command->add_option("id", id_, "the job's id; see `genzo jobs`")
        ->required();
  }
  watch_->add_option("--after", after_,
                     "sequence of the last event not to be shown again");
  watch_->add_option("-o,--output", output_folder_, kOutputHelp)
      ->capture_default_str();
  watch_->add_flag("--no-art", no_art_, "no pictures in the terminal");
  for (CLI::App* command : {list_, watch_, cancel_}) {
    command->add_flag("--json", json_, "a JSON object a line, for scripts");
  }
}

ExitStatus JobsCommand::Run() const {
  if (list_->parsed()) return List();
  return watch_->parsed() ? Watch() : Cancel();
}

void JobsCommand::Print(const v1::Job& job) const {
  if (json_) {
    PrintJson(job, Zeros::kPrinted);
  } else {
    PrintLine(job);
  }
}

ExitStatus JobsCommand::List() const {
  const auto stub = v1::Jobs::NewStub(Connect(server_));
  v1::ListJobsRequest request;
  request.set_page_size(kPageSize);
  for (const std::string& state : states_) {
    request.add_states(StateNames().at(state));
  }
  bool any = false;
  do {
    grpc::ClientContext context;
    v1::ListJobsResponse page;
    const grpc::Status status = stub->ListJobs(&context, request, &page);
    if (!status.ok()) return ReportFailure(status, server_);
    for (const v1::Job& job : page.jobs()) {
      Print(job);
    }
    any = any || !page.jobs().empty();
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  // Not where a script counts lines.
  if (!any) std::cerr << "genzo: no jobs are kept" << std::endl;
  return kExitOk;
}

ExitStatus JobsCommand::Watch() const {
  const auto stub = v1::Jobs::NewStub(Connect(server_));
  v1::GetJobRequest get;
  get.set_id(id_);
  grpc::ClientContext get_context;
  v1::Job job;
  grpc::Status status = stub->GetJob(&get_context, get, &job);
  if (!status.ok()) return ReportFailure(status, server_);
  const absl::Status writable = CheckOutputFolder(output_folder_);
  if (!writable.ok()) return Fail(writable.message(), kExitFailed);
  const v1::GenerateRequest& resolved = job.resolved();
  PictureSink sink(
      PictureFiles(output_folder_, Slug(resolved.prompt()), resolved.seed()),
      MakeEventPrinter(
          {.json = json_,
           .art = !no_art_,
           .image_count = std::clamp(ImagesDrawn(resolved), 1u, 64u),
           // What is painted has a seed once it is resolved.
           .enlarges = !resolved.has_seed()}));
  v1::WatchJobRequest watch;
  watch.set_id(id_);
  watch.set_after_sequence(after_);
  Reconnection reconnection(kAllTries, first_rest_);
  v1::Ended ended;
  for (bool is_again = false;; is_again = true) {
    status = ReadEvents(*stub, watch, sink, reconnection, ended);
    const auto rest = reconnection.RestAfter(status);
    if (!rest.has_value()) return EndOfWatch(status, is_again, ended, sink);
    if (reconnection.is_first()) {
      sink.Say(absl::StrCat(DescribeBreak(status, server_),
                            "; asking again until the job has ended"));
    }
    absl::SleepFor(*rest);
    sink.Resume();
    if (sink.seen() > 0) watch.set_after_sequence(sink.seen());
  }
}

ExitStatus JobsCommand::EndOfWatch(const grpc::Status& status, bool is_again,
                                   const v1::Ended& ended,
                                   PictureSink& sink) const {
  const ExitStatus pictures = sink.Finish();
  if (status.ok()) {
    const ExitStatus end = ExitStatusOfEnd(ended);
    return end == kExitOk ? pictures : end;
  }
  const ExitStatus end = ReportFailure(status, server_);
  if (!is_again || ErrorReason(ErrorOf(status)) != "JOB_UNKNOWN") return end;
  return Fail("the job is lost with its server: it was not kept on disk",
              kExitFailed);
}

ExitStatus JobsCommand::Cancel() const {
  v1::CancelJobRequest request;
  request.set_id(id_);
  grpc::ClientContext context;
  v1::Job job;
  const grpc::Status status =
      v1::Jobs::NewStub(Connect(server_))->CancelJob(&context, request, &job);
  if (!status.ok()) return ReportFailure(status, server_);
  Print(job);
  const bool goes_on = job.state() == v1::JOB_STATE_QUEUED ||
                       job.state() == v1::JOB_STATE_RUNNING;
  if (goes_on) {
    std::cerr << "genzo: it ends before its next step" << std::endl;
  }
  return kExitOk;
}

}  // namespace genzo
