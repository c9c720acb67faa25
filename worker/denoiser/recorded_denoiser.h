#ifndef GENZO_WORKER_DENOISER_RECORDED_DENOISER_H_
#define GENZO_WORKER_DENOISER_RECORDED_DENOISER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "c10/core/UndefinedTensorImpl.h"
#include "c10/util/intrusive_ptr.h"
#include "worker/denoiser/denoiser.h"
#include "worker/kernels/cuda_backend.h"

namespace genzo {

// Rows of the recording that serves `rows`: every number up to 4, every even
// one up to 16, then every fourth. Few kinds, and at most a fifth more rows.
int64_t RecordedRows(int64_t rows);

// A denoiser of any family whose evaluations are recorded once for each shape
// and number of rows and then replayed: a U-Net is a thousand kernels, and the
// CPU takes longer to launch them than a fast device to run them. The first
// evaluation of a kind prepares kernels, the second is recorded and compared,
// replays follow. A device that cannot record, or replays something else, goes
// on as if this class were not there, with one warning. On one stream.
class RecordedDenoiser : public Denoiser {
 public:
  RecordedDenoiser(std::unique_ptr<const Denoiser> denoiser,
                   std::unique_ptr<Recorder> recorder);
  ~RecordedDenoiser() override;

  absl::StatusOr<PreparedRef> Prepare(
      const Conditioning& conditioning) const override {
    return denoiser_->Prepare(conditioning);
  }
  at::Tensor EmbedTimes(const std::vector<float>& times) const override {
    return denoiser_->EmbedTimes(times);
  }
  Placement placement() const override { return denoiser_->placement(); }
  std::vector<std::string> IdleLayers() const override {
    return denoiser_->IdleLayers();
  }
  std::vector<std::string> SelfAttentions() const override {
    return denoiser_->SelfAttentions();
  }

  // What the denoiser's own gives, with rows added to fill a recording. Where
  // memory is missing, all that is kept here is given up and the denoiser asked
  // once more.
  at::Tensor Forward(const at::Tensor& sample, const at::Tensor& times,
                     const Prepared& prepared) const override;

  int recordings() const override;
  void ForgetRecordings() const override;

 private:
  class State;

  const std::unique_ptr<const Denoiser> denoiser_;
  const std::unique_ptr<State> state_;  // goes before the denoiser
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_RECORDED_DENOISER_H_
