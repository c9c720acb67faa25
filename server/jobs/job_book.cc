#include "server/jobs/job_book.h"

#include <algorithm>
#include <bitset>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/errors.h"
#include "base/proto_time.h"
#include "base/request_rules.h"
#include "base/utf8.h"
#include "server/resolve/violations.h"
#include "server/rpc/pages.h"

namespace genzo {
namespace {

using internal::v1::KeptJob;
using v1::JobEvent;

constexpr int kDefaultPageSize = 100;
constexpr int kMostStates = 16;

absl::Status Unknown(const std::string& id) {
  return ErrorWithReason(absl::StatusCode::kNotFound, "JOB_UNKNOWN",
                         absl::StrCat("no job \"", Printable(id.substr(0, 64)),
                                      "\" is known here"));
}

bool HasEnded(const v1::Job& job) {
  return job.state() != v1::JOB_STATE_QUEUED &&
         job.state() != v1::JOB_STATE_RUNNING;
}

// The states that are asked for; empty for all. Each number of a state is its
// place in the set.
using States = std::bitset<v1::JobState_ARRAYSIZE>;

absl::StatusOr<States> StatesOf(const v1::ListJobsRequest& request) {
  Violations violations;
  violations.CheckCount("states", request.states_size(), kMostStates);
  States states;
  for (const int state : request.states()) {
    if (state > 0 && v1::JobState_IsValid(state)) {
      states.set(static_cast<size_t>(state));
    } else {
      violations.Add("states", absl::StrCat("states ", state,
                                            " is not one of its values"));
    }
  }
  if (!violations.status().ok()) return violations.status();
  return states;
}

// The key that a page token has: "NANOSECONDS.ID".
std::optional<std::pair<int64_t, std::string>> ParseKey(
    const std::string& text) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(text, absl::MaxSplits('.', 1));
  int64_t order = 0;
  if (!absl::SimpleAtoi(parts.first, &order) || parts.second.empty()) {
    return std::nullopt;
  }
  return std::pair(order, parts.second);
}

}  // namespace

absl::Status JobExpiredError(const v1::Job& job) {
  return ErrorWithReason(
      absl::StatusCode::kNotFound, "JOB_EXPIRED",
      absl::StrCat("the results of job ", job.id(), " are not kept any more"),
      {{"state", v1::JobState_Name(job.state())}});
}

JobBook::JobBook(size_t most_jobs, absl::Duration results_kept,
                 const Clock& clock, JobBookHooks hooks)
    : most_jobs_(most_jobs),
      results_kept_(results_kept),
      clock_(clock),
      hooks_(std::move(hooks)) {}

JobBook::Key JobBook::KeyOf(const Entry& entry) {
  const v1::Job& job = entry.kept.job();
  return {absl::ToUnixNanos(FromProto(job.create_time())), job.id()};
}

void JobBook::AddLocked(Entry entry) {
  const v1::Job& job = entry.kept.job();
  const std::string& tenant = entry.kept.tenant();
  by_tenant_[tenant][KeyOf(entry)] = job.id();
  // A request that came to nothing may be sent again.
  const bool stands = !HasEnded(job) || job.images_done() > 0;
  if (stands && !job.request_id().empty()) {
    by_request_[{tenant, job.request_id()}] = job.id();
  }
  const std::string id = job.id();
  entries_[id] = std::move(entry);
}

void JobBook::Add(KeptJob job) {
  v1::Job& shown = *job.mutable_job();
  shown.set_state(v1::JOB_STATE_QUEUED);
  if (!shown.has_create_time()) {
    *shown.mutable_create_time() = ToProto(clock_.Date());
  }
  absl::MutexLock lock(&mutex_);
  AddLocked({.kept = std::move(job), .accepted = clock_.Now()});
}

JobBook::Entry JobBook::EndedEntry(KeptJob job) const {
  Entry entry;
  entry.accepted = clock_.FromDate(FromProto(job.job().create_time()));
  entry.ended = clock_.FromDate(FromProto(job.job().end_time()));
  entry.kept = std::move(job);
  return entry;
}

void JobBook::AddEnded(KeptJob job) {
  *job.mutable_job()->mutable_expire_time() =
      ToProto(FromProto(job.job().end_time()) + results_kept_);
  Entry entry = EndedEntry(std::move(job));
  absl::MutexLock lock(&mutex_);
  AddLocked(std::move(entry));
}

void JobBook::AddGone(KeptJob job) {
  Entry entry = EndedEntry(std::move(job));
  entry.gone = clock_.FromDate(FromProto(entry.kept.job().expire_time()));
  absl::MutexLock lock(&mutex_);
  AddLocked(std::move(entry));
}

void JobBook::Drop(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  const auto entry = entries_.find(id);
  if (entry != entries_.end()) EraseLocked(entry);
}

absl::StatusOr<KeptJob> JobBook::Get(const std::string& tenant,
                                     const std::string& id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) {
    const auto left = left_.find(id);
    const bool knows = left != left_.end() && left->second.tenant == tenant;
    return knows ? JobExpiredError(left->second.job) : Unknown(id);
  }
  if (found->second.kept.tenant() != tenant) return Unknown(id);
  const Entry& entry = found->second;
  if (entry.gone < absl::InfiniteFuture()) {
    return JobExpiredError(entry.kept.job());
  }
  return entry.kept;
}

std::optional<JobBook::Known> JobBook::ByRequest(
    const std::string& tenant, const std::string& request_id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = by_request_.find({tenant, request_id});
  if (request_id.empty() || found == by_request_.end()) return std::nullopt;
  const auto left = left_.find(found->second);
  return Known{found->second, left != left_.end()
                                  ? left->second.digest
                                  : entries_.at(found->second).kept.digest()};
}

absl::StatusOr<v1::ListJobsResponse> JobBook::List(
    const std::string& tenant, const v1::ListJobsRequest& request) const {
  const auto asked =
      ParsePage(request.page_size(), request.page_token(), kDefaultPageSize);
  if (!asked.ok()) return asked.status();
  const auto states = StatesOf(request);
  if (!states.ok()) return states.status();
  Key before = {INT64_MAX, ""};
  if (!asked->after.empty()) {
    const auto key = ParseKey(asked->after);
    if (!key.has_value()) return ForeignPageTokenError();
    before = *key;
  }
  v1::ListJobsResponse page;
  absl::MutexLock lock(&mutex_);
  const auto jobs = by_tenant_.find(tenant);
  if (jobs == by_tenant_.end()) return page;
  auto next = jobs->second.lower_bound(before);
  Key last;
  while (next != jobs->second.begin()) {
    const auto& [key, id] = *--next;
    const Entry& entry = entries_.at(id);
    if (entry.gone < absl::InfiniteFuture()) continue;
    if (states->any() && !states->test(entry.kept.job().state())) continue;
    if (page.jobs_size() == static_cast<int>(asked->size)) {
      page.set_next_page_token(
          PageToken(absl::StrCat(last.first, ".", last.second)));
      break;
    }
    last = key;
    *page.add_jobs() = entry.kept.job();
    page.mutable_jobs(page.jobs_size() - 1)->clear_resolved();
  }
  return page;
}

std::vector<std::string> JobBook::Sweep() {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  std::vector<std::string> let_go;
  std::vector<std::pair<absl::Time, std::string>> ended;
  ForgetLeftLocked(now);
  for (auto it = entries_.begin(); it != entries_.end();) {
    const Entry& entry = it->second;
    if (now - entry.accepted >= kRemembered) {
      UnlinkLocked(entry.kept.tenant(), entry.kept.job());
    }
    if (now - entry.gone >= kRemembered) {
      it = EraseLocked(it);
      continue;
    }
    const bool is_gone = entry.gone < absl::InfiniteFuture();
    if (!is_gone && now - entry.ended >= results_kept_) {
      let_go.push_back(it->first);
    }
    if (entry.ended < absl::InfiniteFuture()) {
      ended.emplace_back(entry.ended, it->first);
    }
    ++it;
  }
  if (entries_.size() <= most_jobs_) return let_go;
  const size_t extra = std::min(entries_.size() - most_jobs_, ended.size());
  std::partial_sort(ended.begin(), ended.begin() + extra, ended.end());
  for (size_t i = 0; i < extra; ++i) {
    let_go.push_back(ended[i].second);
    LeaveLocked(entries_.find(ended[i].second));
  }
  return let_go;
}

void JobBook::Posted(const std::string& id, const JobEvent& event) {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  const v1::JobState before = found->second.kept.job().state();
  FollowLocked(found->second, event);
  const bool moved = found->second.kept.job().state() != before;
  if (moved && hooks_.moved) hooks_.moved(found->second.kept);
}

void JobBook::Ended(const std::string& id,
                    const std::vector<EventRef>& events) {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || !hooks_.keep) return;
  hooks_.keep(found->second.kept, events);
}

void JobBook::Forgotten(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  entry.gone = clock_.Now();
  entry.ended = std::min(entry.ended, entry.gone);
  entry.kept.mutable_job()->clear_resolved();
}

void JobBook::FollowLocked(Entry& entry, const JobEvent& event) {
  v1::Job& job = *entry.kept.mutable_job();
  job.set_last_sequence(event.sequence());
  switch (event.event_case()) {
    case JobEvent::kQueued:
      // It may wait again, after its worker died.
      job.set_state(v1::JOB_STATE_QUEUED);
      job.set_position(event.queued().position());
      if (event.queued().has_time_left()) {
        *job.mutable_time_left() = event.queued().time_left();
      }
      break;
    case JobEvent::kStarted:
      job.set_state(v1::JOB_STATE_RUNNING);
      job.clear_position();
      *job.mutable_start_time() = ToProto(clock_.Date());
      break;
    case JobEvent::kProgress: {
      const v1::Progress& progress = event.progress();
      // A picture to start from leaves a share of the steps.
      const uint32_t walked =
          job.steps_total() / std::max(1u, ImagesDrawn(job.resolved()));
      const uint32_t skipped =
          progress.steps() - std::min(progress.steps(), walked);
      uint32_t& steps = entry.steps[progress.image_index()];
      const uint32_t before = steps;
      steps = progress.step() - std::min(progress.step(), skipped);
      job.set_steps_done(job.steps_done() + steps - before);
      if (event.progress().has_time_left()) {
        *job.mutable_time_left() = event.progress().time_left();
      }
      break;
    }
    case JobEvent::kImage:
      job.set_images_done(job.images_done() + 1);
      break;
    case JobEvent::kImageFailed:
      job.set_images_failed(job.images_failed() + 1);
      break;
    case JobEvent::kEnded: {
      const v1::Ended& ended = event.ended();
      entry.ended = clock_.Now();
      job.set_state(ended.state());
      if (ended.has_status()) *job.mutable_status() = ended.status();
      if (ended.steps_run() > 0) job.set_steps_done(ended.steps_run());
      job.clear_time_left();
      job.clear_position();
      const absl::Time date = clock_.Date();
      *job.mutable_end_time() = ToProto(date);
      *job.mutable_expire_time() = ToProto(date + results_kept_);
      if (job.images_done() == 0) UnlinkLocked(entry.kept.tenant(), job);
      break;
    }
    default:
      break;
  }
}

JobBook::Entries::iterator JobBook::EraseLocked(Entries::iterator entry) {
  UnlinkLocked(entry->second.kept.tenant(), entry->second.kept.job());
  return RemoveLocked(entry);
}

JobBook::Entries::iterator JobBook::RemoveLocked(Entries::iterator entry) {
  const auto tenant = by_tenant_.find(entry->second.kept.tenant());
  tenant->second.erase(KeyOf(entry->second));
  if (tenant->second.empty()) by_tenant_.erase(tenant);
  return entries_.erase(entry);
}

void JobBook::UnlinkLocked(const std::string& tenant, const v1::Job& job) {
  const auto found = by_request_.find({tenant, job.request_id()});
  if (found != by_request_.end() && found->second == job.id()) {
    by_request_.erase(found);
  }
}

void JobBook::LeaveLocked(Entries::iterator entry) {
  const KeptJob& kept = entry->second.kept;
  Left left = {.job = {},
               .tenant = kept.tenant(),
               .digest = kept.digest(),
               .accepted = entry->second.accepted};
  left.job.set_id(kept.job().id());
  left.job.set_request_id(kept.job().request_id());
  left.job.set_state(kept.job().state());
  RemoveLocked(entry);
  left_in_order_.push_back(left.job.id());
  left_[left_in_order_.back()] = std::move(left);
}

void JobBook::ForgetLeftLocked(absl::Time now) {
  while (!left_in_order_.empty()) {
    const auto first = left_.find(left_in_order_.front());
    const Left& left = first->second;
    if (left_.size() <= kMostLeft * most_jobs_ &&
        now - left.accepted < kRemembered) {
      return;
    }
    UnlinkLocked(left.tenant, left.job);
    left_.erase(first);
    left_in_order_.pop_front();
  }
}

}  // namespace genzo
