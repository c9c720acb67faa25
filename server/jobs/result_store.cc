#include "server/jobs/result_store.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/durable_file.h"
#include "base/logging.h"
#include "base/proto_time.h"
#include "base/sha256.h"
#include "google/protobuf/io/zero_copy_stream_impl.h"
#include "google/protobuf/util/delimited_message_util.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;
using google::protobuf::io::IstreamInputStream;
using google::protobuf::util::ParseDelimitedFromZeroCopyStream;
using internal::v1::KeptEvents;
using internal::v1::KeptJob;

constexpr absl::string_view kSuffix = ".job";
constexpr absl::string_view kBegunSuffix = ".begun";
constexpr absl::string_view kToldSuffix = ".told";

fs::path JobPath(const fs::path& folder, const std::string& id) {
  return folder / absl::StrCat(id, kSuffix);
}

fs::path BegunPath(const fs::path& folder, const std::string& id) {
  return folder / absl::StrCat(id, kBegunSuffix);
}

fs::path ToldPath(const fs::path& folder, const std::string& id) {
  return folder / absl::StrCat(id, kToldSuffix);
}

bool ReadHead(IstreamInputStream& stream, KeptJob& job) {
  bool is_end = false;
  return ParseDelimitedFromZeroCopyStream(&job, &stream, &is_end);
}

absl::Status Damaged(const std::string& path) {
  return absl::DataLossError(absl::StrCat(path, " is damaged"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ResultStore>> ResultStore::Open(
    const std::string& folder, int64_t most_bytes, Leaving leaving) {
  std::unique_ptr<ResultStore> store(
      new ResultStore(folder, most_bytes, std::move(leaving)));
  const absl::Status found = store->Find();
  if (!found.ok()) return found;
  return store;
}

std::string ResultStore::PathOf(const std::string& id) const {
  return JobPath(folder_, id).string();
}

ResultStore::~ResultStore() {
  if (lock_.has_value()) NoteCleanEnd(folder_);
}

void ResultStore::NoteCleanEnd(const std::string& folder) {
  if (!folder.empty()) std::ofstream(fs::path(folder) / kCleanEnd);
}

void ResultStore::PrepareFolder() const {
  std::error_code error;
  const fs::file_status before = fs::status(folder_, error);
  if (before.type() == fs::file_type::not_found) {
    fs::create_directories(folder_, error);
    if (!error) fs::permissions(folder_, fs::perms::owner_all, error);
    return;
  }
  const fs::perms of_others = before.permissions() & fs::perms::others_all;
  if (!fs::is_directory(before) || of_others == fs::perms::none) return;
  spdlog::warn(
      "jobs.results_folder {} is open to every user of this machine; \"chmod "
      "o= {}\" closes it",
      folder_, folder_);
}

absl::Status ResultStore::Find() {
  PrepareFolder();
  std::error_code error;
  fs::directory_iterator files(folder_, error);
  if (error) {
    return absl::FailedPreconditionError(absl::StrCat(
        "jobs.results_folder ", folder_, " cannot be used: ", error.message()));
  }
  auto taken = FolderLock::Try(folder_);
  if (!taken.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("jobs.results_folder ", folder_,
                     " is in use by another server; each needs its own"));
  }
  lock_.emplace(*std::move(taken));
  const bool has_died = !fs::remove(fs::path(folder_) / kCleanEnd, error);
  for (const fs::directory_entry& file : files) {
    FindFile(file.path().string(), has_died);
  }
  return absl::OkStatus();
}

void ResultStore::FindFile(const std::string& path, bool has_died) {
  std::error_code error;
  if (absl::EndsWith(path, kUnfinishedSuffix)) {
    fs::remove(path, error);
    return;
  }
  if (!absl::EndsWith(path, kSuffix)) return;
  std::ifstream input(path, std::ios::binary);
  IstreamInputStream stream(&input);
  KeptJob job;
  if (!ReadHead(stream, job) || path != PathOf(job.job().id())) {
    spdlog::error("{}", std::string(Damaged(path).message()));
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    NoteLocked(job, static_cast<int64_t>(fs::file_size(path, error)));
  }
  ReadMarks(job, has_died);
  found_.push_back(std::move(job));
}

void ResultStore::ReadMarks(KeptJob& job, bool has_died) const {
  const std::string& id = job.job().id();
  std::error_code error;
  if (job.job().has_end_time()) {
    if (fs::exists(ToldPath(folder_, id), error)) job.clear_webhook();
  } else if (!has_died) {
    MarkBegun(id, false);
  } else if (fs::exists(BegunPath(folder_, id), error)) {
    // The mark stays until the job is written with this count, so that no
    // server that dies before counts for less.
    job.set_restarts(job.restarts() + 1);
  }
}

absl::StatusOr<std::vector<std::string>> ResultStore::Write(
    KeptJob job, const std::vector<EventRef>& events) {
  KeptEvents kept;
  for (const EventRef& event : events) *kept.add_events() = *event;
  const std::string body = kept.SerializeAsString();
  job.set_events_sha256(Sha256(body));
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::util::SerializeDelimitedToZeroCopyStream(job, &stream);
  }
  bytes += body;
  const absl::Status written = WriteDurably(PathOf(job.job().id()), bytes);
  if (!written.ok()) return written;
  if (job.job().has_end_time()) MarkBegun(job.job().id(), false);
  absl::MutexLock lock(&mutex_);
  NoteLocked(job, static_cast<int64_t>(bytes.size()));
  return TrimLocked();
}

absl::StatusOr<std::vector<EventRef>> ResultStore::Read(
    const std::string& id) const {
  const std::string path = PathOf(id);
  std::ifstream input(path, std::ios::binary);
  if (!input) return absl::NotFoundError(absl::StrCat(path, " is not there"));
  IstreamInputStream stream(&input);
  KeptJob job;
  if (!ReadHead(stream, job)) return Damaged(path);
  std::string body;
  const void* block = nullptr;
  for (int size = 0; stream.Next(&block, &size);) {
    body.append(static_cast<const char*>(block), size);
  }
  KeptEvents kept;
  if (Sha256(body) != job.events_sha256() || !kept.ParseFromString(body)) {
    return Damaged(path);
  }
  std::vector<EventRef> events;
  for (v1::JobEvent& event : *kept.mutable_events()) {
    events.push_back(std::make_shared<const v1::JobEvent>(std::move(event)));
  }
  return events;
}

void ResultStore::NoteToldIn(const std::string& folder, const std::string& id) {
  std::error_code error;
  // Results may have gone before somebody took the webhook.
  if (!fs::exists(JobPath(folder, id), error)) return;
  std::ofstream(ToldPath(folder, id));
}

void ResultStore::MarkBegun(const std::string& id, bool has_begun) const {
  std::error_code error;
  if (!has_begun) {
    fs::remove(BegunPath(folder_, id), error);
  } else if (fs::exists(PathOf(id), error)) {
    std::ofstream(BegunPath(folder_, id));
  }
}

void ResultStore::RemoveFiles(const std::string& id) const {
  std::error_code error;
  fs::remove(PathOf(id), error);
  MarkBegun(id, false);
  fs::remove(ToldPath(folder_, id), error);
}

std::vector<KeptJob> ResultStore::EndedOf(
    const std::vector<std::string>& ids) const {
  std::vector<KeptJob> jobs;
  for (const std::string& id : ids) {
    KeptJob job;
    std::ifstream input(PathOf(id), std::ios::binary);
    IstreamInputStream stream(&input);
    if (ReadHead(stream, job) && job.job().has_end_time()) {
      jobs.push_back(std::move(job));
    }
  }
  return jobs;
}

void ResultStore::LetGoLocked(const std::vector<std::string>& ids) {
  std::vector<KeptJob> ended;
  if (leaving_ != nullptr) ended = EndedOf(ids);
  absl::Status noted = ended.empty() ? absl::OkStatus() : leaving_(ended);
  for (const std::string& id : ids) RemoveFiles(id);
  if (!noted.ok()) noted = leaving_(ended);
  if (noted.ok()) return;
  spdlog::error("the next server will not know of {} jobs, {} among them: {}",
                ended.size(), ended[0].job().id(),
                std::string(noted.message()));
}

void ResultStore::Remove(const std::vector<std::string>& ids) {
  absl::MutexLock lock(&mutex_);
  LetGoLocked(ids);
  for (const std::string& id : ids) {
    const auto ended = ended_.find(id);
    if (ended == ended_.end()) continue;
    const auto entry = ends_.find({ended->second, id});
    bytes_ -= entry->second;
    ends_.erase(entry);
    ended_.erase(ended);
  }
}

void ResultStore::NoteLocked(const KeptJob& job, int64_t bytes) {
  if (!job.job().has_end_time()) return;
  const std::string& id = job.job().id();
  const absl::Time ended = FromProto(job.job().end_time());
  const auto [entry, is_new] = ends_.try_emplace({ended, id}, bytes);
  if (!is_new) return;
  ended_[id] = ended;
  bytes_ += bytes;
}

std::vector<std::string> ResultStore::TrimLocked() {
  std::vector<std::string> removed;
  while (bytes_ > most_bytes_ && !ends_.empty()) {
    const auto first = ends_.begin();
    removed.push_back(first->first.second);
    bytes_ -= first->second;
    ended_.erase(removed.back());
    ends_.erase(first);
  }
  LetGoLocked(removed);
  return removed;
}

}  // namespace genzo
