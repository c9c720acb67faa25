#include "server/jobs/gone_jobs.h"

#include <filesystem>
#include <fstream>

#include "base/durable_file.h"
#include "base/logging.h"
#include "base/proto_time.h"
#include "google/protobuf/io/zero_copy_stream_impl.h"
#include "google/protobuf/util/delimited_message_util.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;
using internal::v1::KeptJob;

void AppendTo(std::string& bytes, const KeptJob& job) {
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::util::SerializeDelimitedToZeroCopyStream(job, &stream);
}

// What is needed to know it again.
KeptJob NameOf(const KeptJob& job, absl::Time gone) {
  KeptJob name;
  name.set_tenant(job.tenant());
  name.set_digest(job.digest());
  v1::Job& shown = *name.mutable_job();
  shown.set_id(job.job().id());
  shown.set_request_id(job.job().request_id());
  shown.set_state(job.job().state());
  shown.set_images_done(job.job().images_done());
  *shown.mutable_create_time() = job.job().create_time();
  *shown.mutable_end_time() = job.job().end_time();
  *shown.mutable_expire_time() = ToProto(gone);
  return name;
}

}  // namespace

GoneJobs::GoneJobs(const std::string& folder, absl::Duration remembered,
                   int64_t most_bytes)
    : newer_(fs::path(folder) / ".gone"),
      older_(fs::path(folder) / ".gone-before"),
      remembered_(remembered),
      most_bytes_(most_bytes) {}

std::vector<KeptJob> GoneJobs::TakeOver(absl::Time now) {
  std::vector<KeptJob> jobs;
  TakeOverFile(older_, now, jobs);
  // What is written behind a torn record is lost: another file is begun then.
  begun_ = TakeOverFile(newer_, now, jobs) ? now : absl::InfinitePast();
  return jobs;
}

bool GoneJobs::TakeOverFile(const std::string& path, absl::Time now,
                            std::vector<KeptJob>& jobs) const {
  std::ifstream input(path, std::ios::binary);
  if (!input) return true;
  google::protobuf::io::IstreamInputStream stream(&input);
  std::string bytes;
  for (KeptJob job; google::protobuf::util::ParseDelimitedFromZeroCopyStream(
           &job, &stream, nullptr);
       job.Clear()) {
    if (now - FromProto(job.job().expire_time()) >= remembered_) continue;
    AppendTo(bytes, job);
    jobs.push_back(job);
  }
  const absl::Status written = WriteDurably(path, bytes);
  if (!written.ok()) spdlog::error("{}", std::string(written.message()));
  return written.ok();
}

void GoneJobs::MakeRoom(absl::Time now) {
  std::error_code error;
  const auto bytes = fs::file_size(newer_, error);
  const bool is_full = !error && static_cast<int64_t>(bytes) >= most_bytes_;
  if (!is_full && now - begun_ < remembered_) return;
  fs::rename(newer_, older_, error);
  begun_ = now;
}

absl::Status GoneJobs::Add(absl::Span<const KeptJob> jobs, absl::Time now) {
  if (jobs.empty()) return absl::OkStatus();
  MakeRoom(now);
  std::string bytes;
  for (const KeptJob& job : jobs) AppendTo(bytes, NameOf(job, now));
  return AppendDurably(newer_, bytes);
}

}  // namespace genzo
