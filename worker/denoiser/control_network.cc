#include "worker/denoiser/control_network.h"

#include "c10/core/InferenceMode.h"
#include "worker/denoiser/denoiser.h"

namespace genzo {

ControlResiduals Steer(const ControlNetwork& network, const at::Tensor& sample,
                       const std::vector<float>& times,
                       const Prepared& prepared) {
  c10::InferenceMode inference;
  return network.Forward(BroughtTo(network.placement(), sample),
                         network.EmbedTimes(times), prepared);
}

}  // namespace genzo
