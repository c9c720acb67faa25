#ifndef GENZO_GATEWAY_A1111_HIRES_H_
#define GENZO_GATEWAY_A1111_HIRES_H_

#include "absl/status/status.h"
#include "gateway/json_body.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"

namespace genzo {

// Reads enable_hr and the hr_ fields of a txt2img body. Faults go to `reader`.
void ReadHires(FieldReader& reader, v1::GenerateRequest& request);

// A1111's second pass makes as many steps as it is asked for at any strength,
// the service's the share of hires.steps that hires.strength leaves. Sets
// hires.steps so that this share is what was asked: 15 for 10 at strength 0.7,
// of which the last 10 are walked. Where more would be needed than `model` has,
// INVALID_ARGUMENT/INVALID_FIELD in A1111's words. Only for what ReadHires()
// read. Pure. Reference: setup_img2img_steps of A1111's
// modules/sd_samplers_common.py.
absl::Status FitHires(const v1::Model& model, v1::GenerateRequest& request);

}  // namespace genzo

#endif  // GENZO_GATEWAY_A1111_HIRES_H_
