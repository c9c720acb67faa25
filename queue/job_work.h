#ifndef GENZO_QUEUE_JOB_WORK_H_
#define GENZO_QUEUE_JOB_WORK_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "genzo/internal/v1/job.pb.h"

namespace genzo {

// Of one image in an evaluation: guided images have as many.
constexpr int kMostRowsOfImage = 2;

// What a job asks of the pool, as far as scheduling is concerned. A value.
struct JobWork {
  std::string model;
  std::string tenant;  // empty for the common one
  double weight = 1;   // of its priority: 1/4, 1 or 4
  int64_t pixels = 0;  // of one image
  int rows = 2;        // of one image in an evaluation
  int images = 1;
  int steps = 1;
  v1::GenerateRequest::Sampler sampler =
      v1::GenerateRequest::SAMPLER_UNSPECIFIED;
  absl::Time accepted = absl::InfinitePast();
  absl::Time deadline = absl::InfiniteFuture();
};

// The work of a job whose request has every optional field filled in.
JobWork WorkOf(const internal::v1::Job& job);

}  // namespace genzo

#endif  // GENZO_QUEUE_JOB_WORK_H_
