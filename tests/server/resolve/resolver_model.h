#ifndef GENZO_TESTS_SERVER_RESOLVE_RESOLVER_MODEL_H_
#define GENZO_TESTS_SERVER_RESOLVE_RESOLVER_MODEL_H_

#include <string>
#include <vector>

#include "genzo/v1/model_registry.pb.h"

namespace genzo {

// What requests are checked against in tests: a model of DDIM that paints texts
// and goes on from pictures, 128x64 unless told, and takes the named fields
// besides `image_to_image.strength`.
inline v1::Model ResolverModel(const std::vector<std::string>& fields = {}) {
  v1::Model model;
  model.set_id("tiny");
  model.set_state(v1::Model::STATE_RESIDENT);
  model.set_default_width(128);
  model.set_default_height(64);
  v1::ModelLimits& limits = *model.mutable_limits();
  limits.set_size_multiple(8);
  limits.set_min_side(64);
  limits.set_max_side(512);
  limits.set_max_steps(100);
  limits.set_max_image_count(4);
  model.set_default_sampler(v1::SAMPLER_DDIM);
  model.add_samplers()->set_sampler(v1::SAMPLER_DDIM);
  model.add_tasks(v1::TASK_TEXT_TO_IMAGE);
  model.add_tasks(v1::TASK_IMAGE_TO_IMAGE);
  model.add_request_fields("image_to_image.strength");
  for (const std::string& field : fields) model.add_request_fields(field);
  return model;
}

}  // namespace genzo

#endif  // GENZO_TESTS_SERVER_RESOLVE_RESOLVER_MODEL_H_
