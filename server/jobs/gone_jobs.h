#ifndef GENZO_SERVER_JOBS_GONE_JOBS_H_
#define GENZO_SERVER_JOBS_GONE_JOBS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "genzo/internal/v1/kept_job.pb.h"

namespace genzo {

// Which jobs a results folder had whose results are gone, for servers to come:
// they tell them from jobs that nobody knows, and request ids that were used
// from new ones. A job takes some 200 bytes at the end of a file; a file that
// is `most_bytes` or was begun `remembered` ago makes room for a new one, and
// the one before it is forgotten.
//
//   .gone         the newer file
//   .gone-before  the older
//
// For one thread at a time.
class GoneJobs {
 public:
  static constexpr int64_t kMostBytes = int64_t{16} << 20;

  GoneJobs(const std::string& folder, absl::Duration remembered,
           int64_t most_bytes = kMostBytes);

  // Jobs that went less than `remembered` before the date `now`, which their
  // expire_time says, in the order in which they went; one may be there twice.
  // The files have these alone then, and not what a crash left of a job; if
  // they cannot be written, what is added goes to a new one.
  std::vector<internal::v1::KeptJob> TakeOver(absl::Time now);

  // Notes that the results of `jobs`, which have ended, go at the date `now`,
  // and waits for the disk, once for all. On an error the files are as they
  // were.
  absl::Status Add(absl::Span<const internal::v1::KeptJob> jobs,
                   absl::Time now);

 private:
  // Adds what the file has to `jobs`. False if what is not needed of it could
  // not be taken out.
  bool TakeOverFile(const std::string& path, absl::Time now,
                    std::vector<internal::v1::KeptJob>& jobs) const;
  void MakeRoom(absl::Time now);

  const std::string newer_, older_;  // paths
  const absl::Duration remembered_;
  const int64_t most_bytes_;
  absl::Time begun_ = absl::InfiniteFuture();  // the newer file, by the date
};

}  // namespace genzo

#endif  // GENZO_SERVER_JOBS_GONE_JOBS_H_
