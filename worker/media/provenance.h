#ifndef GENZO_WORKER_MEDIA_PROVENANCE_H_
#define GENZO_WORKER_MEDIA_PROVENANCE_H_

#include <optional>
#include <string>
#include <string_view>

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
};

// Of a picture that `request`, as resolved, made with `seed`: input pixels that
// were kept make it compositeWithTrainedAlgorithmicMedia. The request, without
// pictures, is told where the parameters are. Thread-safe.
Provenance ProvenanceOf(const v1::GenerateRequest& request, uint64_t seed);

// The XMP packet (ISO 16684-1) of it. Thread-safe.
std::string XmpOf(const Provenance& provenance);

// What an XMP packet says, by whomever it was written; nothing if it is no XMP.
// Safe on any bytes.
std::optional<Provenance> ReadXmp(std::string_view packet);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_PROVENANCE_H_
