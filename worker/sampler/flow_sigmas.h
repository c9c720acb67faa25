#ifndef GENZO_WORKER_SAMPLER_FLOW_SIGMAS_H_
#define GENZO_WORKER_SAMPLER_FLOW_SIGMAS_H_

#include <vector>

#include "worker/sampler/noise_level.h"
#include "worker/sampler/scheduler_config.h"

namespace genzo {

// The share of noise at which each step of a flow-matching walk begins, from 1
// down, float32: `steps` evenly spaced ones, or config.sigmas, shifted as the
// configuration says (arXiv:2403.03206, section 5.3.2), stretched to its last
// sigma, then respaced (reference: diffusers' FlowMatchEulerDiscreteScheduler).
// The walk ends at 0, which is not among them.
std::vector<double> FlowSigmas(const SchedulerConfig& config, int steps);

// `steps` of the shares i / n that a table of such models has, from the
// noisiest on, where config.sigma_spacing is kSgmUniform or kSimple (reference:
// ComfyUI's schedulers). Not shifted yet.
std::vector<double> TabledFlowSigmas(const SchedulerConfig& config, int steps);

// Moves `sigmas`, falling, towards noise as the configuration says, and
// stretches them to its last one.
void ShiftFlow(const SchedulerConfig& config, std::vector<double>& sigmas);

// The dynamic shift's parameter for an image of config.image_tokens: linear
// between base_shift and max_shift (reference: FluxPipeline's calculate_shift).
double FlowShiftOf(const SchedulerConfig& config);

// A sample on the straight path: (1 - sigma) clean + sigma noise.
NoiseLevel FlowLevel(double sigma);

// What the denoiser is told at `sigma`, float32.
double FlowTimestep(const SchedulerConfig& config, double sigma);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_FLOW_SIGMAS_H_
