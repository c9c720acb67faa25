#ifndef GENZO_WORKER_DENOISER_CONTROL_NETWORK_H_
#define GENZO_WORKER_DENOISER_CONTROL_NETWORK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/denoiser/conditioning.h"
#include "worker/denoiser/control_residuals.h"
#include "worker/denoiser/prepared.h"
#include "worker/device/placement.h"

namespace genzo {

// A network beside a denoiser that tells it where things are to be, from a
// picture of edges, depths, poses: the hint (ControlNet, Zhang et al.,
// arXiv:2302.05543). It sees what the denoiser sees, and its residuals are
// added inside it. Immutable; threads as for Denoiser.
class ControlNetwork {
 public:
  virtual ~ControlNetwork() = default;

  // All that depends on the conditioning alone: that of the denoiser, with the
  // hint as its `image`, [1, ...] for all rows. INVALID_ARGUMENT names what
  // this network does not take, or does not take in that shape.
  virtual absl::StatusOr<PreparedRef> Prepare(
      const Conditioning& conditioning) const = 0;

  // As Denoiser's of the same names, a row a time, a row a sample.
  virtual at::Tensor EmbedTimes(const std::vector<float>& times) const = 0;
  virtual ControlResiduals Forward(const at::Tensor& sample,
                                   const at::Tensor& times,
                                   const Prepared& prepared) const = 0;

  virtual Placement placement() const = 0;

  // Whether the hint is a picture encoded by the denoiser's autoencoder, a
  // latent; else it is the picture, [1, 3, H, W] from 0 to 1.
  virtual bool reads_latents() const = 0;
  // Whether it tells of the picture as a whole and so steers the prompt's row
  // alone, as one that shuffles contents does.
  virtual bool pools() const { return false; }
  // Whether it computes anything once it has prepared.
  virtual bool evaluates() const { return true; }
};

// One evaluation, of rows as Predict()'s: residuals on the network's device.
ControlResiduals Steer(const ControlNetwork& network, const at::Tensor& sample,
                       const std::vector<float>& times,
                       const Prepared& prepared);

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_CONTROL_NETWORK_H_
