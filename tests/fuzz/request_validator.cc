#include <cstdint>
#include <cstdlib>
#include <string>

#include "server/resolve/request_parser.h"
#include "server/resolve/request_resolver.h"

// Bytes of a request as they come from a client: whatever is taken keeps within
// the model's limits and is taken again as it was resolved.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using genzo::v1::Model;
  static const Model* const model = [] {
    auto* made = new Model;
    made->set_id("m");
    made->set_state(Model::STATE_RESIDENT);
    made->set_default_width(64);
    made->set_default_height(64);
    made->mutable_limits()->set_min_side(8);
    made->mutable_limits()->set_max_side(512);
    made->mutable_limits()->set_size_multiple(8);
    made->mutable_limits()->set_max_steps(100);
    made->mutable_limits()->set_max_image_count(4);
    made->set_default_sampler(genzo::v1::SAMPLER_DDIM);
    made->add_samplers()->set_sampler(genzo::v1::SAMPLER_DDIM);
    made->add_tasks(genzo::v1::TASK_TEXT_TO_IMAGE);
    made->add_tasks(genzo::v1::TASK_IMAGE_TO_IMAGE);
    return made;
  }();
  genzo::v1::GenerateRequest request;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  if (!genzo::ParseRequest(bytes, request).ok()) return 0;
  const auto resolved = genzo::ResolveRequest(request, *model, {}, /*seed=*/1);
  if (!resolved.ok()) return 0;
  if (resolved->width() > 512 || resolved->width() % 8 != 0 ||
      resolved->height() > 512 || resolved->height() % 8 != 0 ||
      resolved->steps() < 1 || resolved->steps() > 100 ||
      resolved->image_count() < 1 || resolved->image_count() > 4 ||
      !genzo::ResolveRequest(*resolved, *model, {}, /*seed=*/2).ok()) {
    std::abort();
  }
  return 0;
}
