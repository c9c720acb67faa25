#include "server/jobs/job_archive.h"

#include <algorithm>
#include <utility>

#include "base/draining.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/proto_time.h"
#include "queue/job_end.h"

namespace genzo {
namespace {

using internal::v1::KeptJob;

constexpr absl::Duration kRetryNotKept = absl::Seconds(10);

absl::Status NotKept() {
  return RetryLaterError("NOT_KEPT",
                         "the job cannot be kept: the server's results folder "
                         "cannot be written",
                         kRetryNotKept);
}

// Whether the job ended only because the server did.
bool WasDrained(const KeptJob& job) {
  return job.job().has_status() &&
         IsDraining(FromRpcStatus(job.job().status()));
}

JobFile FileOf(const KeptJob& job) {
  const v1::Job& shown = job.job();
  return {.job_id = shown.id(),
          .tenant = job.tenant(),
          // A request that came to nothing may be sent again.
          .request_id = shown.images_done() > 0 ? shown.request_id() : "",
          .digest = job.digest(),
          .goes_on = true,
          .is_kept = true,
          .traceparent = job.traceparent()};
}

}  // namespace

JobArchive::JobArchive(const Options& options,
                       std::function<void(const std::string&)> cancel,
                       std::function<void(const KeptJob&)> moved,
                       const Clock& clock, Metrics& metrics)
    : clock_(clock), metrics_(metrics) {
  JobBookHooks hooks = options.jobs.results_folder.empty()
                           ? JobBookHooks{.moved = std::move(moved)}
                           : DiskHooks(std::move(moved));
  book_ = std::make_unique<JobBook>(options.jobs.most_jobs,
                                    options.delivery.results_kept, clock,
                                    std::move(hooks));
  logs_ = std::make_unique<EventLogs>(options.delivery, std::move(cancel),
                                      clock, metrics, book_.get());
}

JobBookHooks JobArchive::DiskHooks(std::function<void(const KeptJob&)> moved) {
  JobBookHooks hooks;
  hooks.moved = [this, moved = std::move(moved)](const KeptJob& job) {
    if (job.job().state() == v1::JOB_STATE_RUNNING) {
      disk_->Add([this, id = job.job().id()] { store_->MarkBegun(id, true); });
    }
    // The next server goes on with it, and tells of its end.
    if (moved && !WasDrained(job)) moved(job);
  };
  hooks.keep = [this](const KeptJob& job, const std::vector<EventRef>& events) {
    // It is on disk as it was queued, for the next server.
    if (WasDrained(job)) return;
    disk_->Add([this, job, events] {
      events.empty() ? store_->Remove({job.job().id()}) : Write(job, events);
    });
  };
  return hooks;
}

absl::StatusOr<std::unique_ptr<JobArchive>> JobArchive::Open(
    const Options& options, std::function<void(const std::string&)> cancel,
    std::function<void(const KeptJob&)> moved, const Clock& clock,
    Metrics& metrics) {
  std::unique_ptr<JobArchive> archive(new JobArchive(
      options, std::move(cancel), std::move(moved), clock, metrics));
  if (!options.jobs.results_folder.empty()) {
    GoneJobs& gone = archive->gone_.emplace(options.jobs.results_folder,
                                            JobBook::kRemembered);
    auto store = ResultStore::Open(options.jobs.results_folder,
                                   options.jobs.results_bytes,
                                   [&gone, &clock](const auto& jobs) {
                                     return gone.Add(jobs, clock.Date());
                                   });
    if (!store.ok()) return store.status();
    archive->store_ = *std::move(store);
    archive->TakeOver();
  }
  archive->disk_ = std::make_unique<WorkThread>();
  return archive;
}

JobArchive::~JobArchive() {
  if (disk_ != nullptr) disk_->Add([this] { RetryWriting(); });
}

void JobArchive::TakeOver() {
  // Before those whose results a crash left, which are not gone after all.
  for (KeptJob& job : gone_->TakeOver(clock_.Date())) {
    book_->AddGone(std::move(job));
  }
  std::vector<KeptJob> found = store_->TakeFound();
  // A folder has no order. Who waited longest is to go on waiting in front.
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::pair(FromProto(a.job().create_time()), a.job().id()) <
           std::pair(FromProto(b.job().create_time()), b.job().id());
  });
  for (KeptJob& job : found) {
    if (job.job().has_end_time()) {
      book_->AddEnded(job);
      if (!job.webhook().empty()) untold_.push_back(std::move(job));
    } else {
      job.set_servers(std::max(job.servers(), job.restarts()) + 1);
      unfinished_.push_back(std::move(job));
    }
  }
}

std::vector<KeptJob> JobArchive::TakeUnfinished() {
  return std::exchange(unfinished_, {});
}

std::vector<KeptJob> JobArchive::TakeUntold() {
  return std::exchange(untold_, {});
}

void JobArchive::Write(const KeptJob& job,
                       const std::vector<EventRef>& events) {
  const absl::Status written = TryWrite(job, events);
  if (written.ok()) return;
  metrics_.results_not_kept().Increment();
  spdlog::error("results of job {} are in memory only, until there is room: {}",
                job.job().id(), std::string(written.message()));
  WriteLater(job, events);
}

absl::Status JobArchive::TryWrite(const KeptJob& job,
                                  const std::vector<EventRef>& events) {
  const std::string& id = job.job().id();
  const auto pushed_out = store_->Write(job, events);
  if (!pushed_out.ok()) return pushed_out.status();
  logs_->KeptElsewhere(id);
  // Its time may have passed while the disk was busy.
  if (!book_->Get(job.tenant(), id).ok()) store_->Remove({id});
  for (const std::string& other : *pushed_out) book_->Forgotten(other);
  return absl::OkStatus();
}

void JobArchive::WriteLater(const KeptJob& job,
                            const std::vector<EventRef>& events) {
  if (unwritten_.empty()) last_retry_ = clock_.Now();
  unwritten_.push_back({.job = job, .events = {events.begin(), events.end()}});
  if (unwritten_.size() > kMostUnwritten) unwritten_.pop_front();
}

void JobArchive::RetryWriting() {
  last_retry_ = clock_.Now();
  while (!unwritten_.empty()) {
    Unwritten first = std::move(unwritten_.front());
    unwritten_.pop_front();
    std::vector<EventRef> events;
    for (const auto& event : first.events) events.push_back(event.lock());
    const bool is_whole =
        std::count(events.begin(), events.end(), nullptr) == 0;
    if (!is_whole ||
        !book_->Get(first.job.tenant(), first.job.job().id()).ok()) {
      continue;
    }
    if (!TryWrite(first.job, events).ok()) {
      // There may be room for a smaller one: that is tried next.
      unwritten_.push_back(std::move(first));
      return;
    }
  }
}

absl::StatusOr<std::unique_ptr<EventReader>> JobArchive::Restore(
    const KeptJob& job, uint64_t after, const ReaderListener& listener) {
  const std::string& id = job.job().id();
  if (store_ == nullptr) return JobExpiredError(job.job());
  const auto events = store_->Read(id);
  if (!events.ok()) {
    if (events.status().code() == absl::StatusCode::kDataLoss) {
      spdlog::error("{}", std::string(events.status().message()));
    }
    return JobExpiredError(job.job());
  }
  // One that still lives, as it was queued.
  if (events->empty() || !events->back()->has_ended()) {
    return JobExpiredError(job.job());
  }
  auto reader = logs_->Restore(FileOf(job), *events,
                               clock_.FromDate(FromProto(job.job().end_time())),
                               after, listener);
  if (reader.status().code() == absl::StatusCode::kNotFound) {
    return JobExpiredError(job.job());
  }
  return reader;
}

absl::StatusOr<std::string> JobArchive::FindAgain(const JobFile& file) {
  const auto known = book_->ByRequest(file.tenant, file.request_id);
  if (!known.has_value()) return "";
  const auto job = book_->Get(file.tenant, known->job_id);
  const bool is_filed = logs_->Has(known->job_id);
  // Nobody wanted it any more, and its worker has yet to notice.
  if (job.ok() && !job->job().has_end_time() && !is_filed) return "";
  if (known->digest != file.digest) {
    return RequestIdInUseError(file.request_id);
  }
  if (!is_filed && !job.ok()) return job.status();
  return known->job_id;
}

absl::StatusOr<std::unique_ptr<EventReader>> JobArchive::Watch(
    const std::string& tenant, const std::string& id, uint64_t after,
    const ReaderListener& listener) {
  const auto job = book_->Get(tenant, id);
  if (!job.ok()) return job.status();
  auto reader = logs_->Watch(id, after, listener);
  if (reader.status().code() != absl::StatusCode::kNotFound) return reader;
  return Restore(*job, after, listener);
}

void JobArchive::Keep(KeptJob job,
                      std::function<void(const absl::Status&)> done) {
  if (store_ == nullptr) return done(absl::OkStatus());
  disk_->Add([this, job = std::move(job), done = std::move(done)]() mutable {
    const std::string id = job.job().id();
    const auto now = book_->Get(job.tenant(), id);
    if (!now.ok() || (now->job().has_end_time() && !WasDrained(*now))) {
      // Behind the writing of its end, which must not be overwritten.
      disk_->Add([done = std::move(done)] { done(absl::OkStatus()); });
      return;
    }
    const auto written = store_->Write(std::move(job), {});
    if (written.ok()) {
      // It may have begun before it was there to be marked.
      store_->MarkBegun(id, now->job().has_start_time());
      return done(absl::OkStatus());
    }
    spdlog::error("job {} cannot be kept: {}", id,
                  std::string(written.status().message()));
    done(NotKept());
  });
}

void JobArchive::Sweep() {
  logs_->Sweep();
  std::vector<std::string> let_go = book_->Sweep();
  for (const std::string& id : let_go) {
    logs_->Drop(id, absl::OkStatus());  // it has ended
    book_->Forgotten(id);
  }
  if (store_ == nullptr) return;
  disk_->Add([this, let_go = std::move(let_go)] {
    store_->Remove(let_go);
    if (clock_.Now() - last_retry_ >= kRetryWriting) RetryWriting();
  });
}

}  // namespace genzo
