#ifndef GENZO_WORKER_MEDIA_PROVENANCE_H_
#define GENZO_WORKER_MEDIA_PROVENANCE_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// What a picture's XMP packet says of where it comes from.
struct Provenance {
  // IPTC's DigitalSourceType: the last part of the code's address,
  // "trainedAlgorithmicMedia".
  std::string source_type;
  std::string creator_tool;  // "Genzo"
  // What it was made of, as JSON of GenerateRequest; empty: not told.
  std::string request_json;
  // How it was enlarged since, first to last, each as JSON of UpscaleRequest
  // without a picture.
  std::vector<std::string> enlarged_json;
};

// Of a picture that `request` makes: input pixels that are kept make it
// compositeWithTrainedAlgorithmicMedia. Without the request. Thread-safe.
Provenance OriginOf(const v1::GenerateRequest& request);

// Of the image of that index, which `request`, as resolved, made with `seed`.
// The request, without pictures, is told where the parameters are. Thread-safe.
Provenance ProvenanceOf(const v1::GenerateRequest& request, uint64_t seed,
                        uint64_t image_index = 0);

// The XMP packet (ISO 16684-1) of it; without the requests if they make it
// longer than JPEG can hold. Thread-safe.
std::string XmpOf(const Provenance& provenance);

// What an XMP packet says, by whomever it was written; nothing if it is no XMP.
// Safe on any bytes.
std::optional<Provenance> ReadXmp(std::string_view packet);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_PROVENANCE_H_
