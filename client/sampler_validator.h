#ifndef GENZO_CLIENT_SAMPLER_VALIDATOR_H_
#define GENZO_CLIENT_SAMPLER_VALIDATOR_H_

#include "CLI/CLI.hpp"

namespace genzo {

// Takes every spelling of a sampler that FindSampler() knows.
CLI::Validator SamplerSpelling();
// The same of schedules and FindSchedule().
CLI::Validator ScheduleSpelling();

}  // namespace genzo

#endif  // GENZO_CLIENT_SAMPLER_VALIDATOR_H_
