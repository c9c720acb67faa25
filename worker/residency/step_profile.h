#ifndef GENZO_WORKER_RESIDENCY_STEP_PROFILE_H_
#define GENZO_WORKER_RESIDENCY_STEP_PROFILE_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "queue/step_costs.h"
#include "worker/device/placement.h"

namespace genzo {

// What was measured of a model on this machine.
struct StepProfile {
  StepCosts costs;                // at the model's own size
  int64_t activation_bytes = 0;   // peak of the largest evaluation measured
  absl::Duration decode;          // of one picture
  int64_t decode_bytes = 0;       // peak while it is decoded
  bool rows_independent = false;  // a row has the same bits in any company
};

// What evaluations of `rows` rows, of pictures of `area` times the model's own,
// and the decoding of one beside them have in use at most. It grows with rows
// and pixels alike: attention keeps no matrix of scores.
int64_t BytesOf(const StepProfile& profile, double area, int rows);

// Rows of an evaluation of such pictures whose memory fits in `bytes`, beside
// the decoding of one; at least 1.
int RowsThatFit(const StepProfile& profile, double area, int64_t bytes);

// Pictures that half of `bytes` are enough to decode at once; at least 1.
int PicturesThatFit(const StepProfile& profile, double area, int64_t bytes);

// Rows that evaluations of REPRODUCIBLE runs always have: as many as pay and as
// fit into `bytes`, but no fewer than one image's. Depends on nothing that
// changes while the model is in memory, whatever else comes and goes.
int ReproducibleRows(const StepProfile& profile, double area, int64_t bytes,
                     int largest);

// Profiles kept on disk between starts, one file a model. A profile counts only
// for the weights, the processor, the type and the threads that it was measured
// with. What was found out about layers meanwhile (worker/kernels/row_bits.h)
// is kept with it and set again. Failures to read or write are logged and
// forgiven.
class ProfileStore {
 public:
  // `folder` empty: $XDG_CACHE_HOME/genzo or ~/.cache/genzo.
  explicit ProfileStore(const std::string& folder);

  // False if there is none for `key`.
  bool Read(const std::string& model_id, const std::string& key,
            StepProfile& profile) const;
  void Write(const std::string& model_id, const std::string& key,
             const StepProfile& profile) const;

 private:
  const std::string folder_;  // empty: nowhere
};

// What a profile depends on, in words: weights, processor, type, threads.
std::string ProfileKey(const std::string& model_path,
                       const Placement& placement, int threads);

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_STEP_PROFILE_H_
