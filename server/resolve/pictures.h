#ifndef GENZO_SERVER_RESOLVE_PICTURES_H_
#define GENZO_SERVER_RESOLVE_PICTURES_H_

#include "base/picture_config.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "server/resolve/violations.h"

namespace genzo {

// Checks what is to become of finished pictures: how many are drawn for the
// best, what they are checked for, what marks them. Fills in what the server
// does anyway; of its safety policy and the request's the stricter one stays.
void ResolvePictures(const v1::Model& model, const PictureRules& rules,
                     v1::GenerateRequest& request, Violations& violations);

// Fills in and checks `output.mark_provenance` and `output.watermark` alone.
void ResolveMarks(const ProvenanceConfig& rules, v1::OutputOptions& output,
                  Violations& violations);

}  // namespace genzo

#endif  // GENZO_SERVER_RESOLVE_PICTURES_H_
