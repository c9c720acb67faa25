#ifndef GENZO_BASE_PICTURE_CONFIG_H_
#define GENZO_BASE_PICTURE_CONFIG_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "genzo/v1/types.pb.h"

namespace genzo {

// Who scores pictures: a CLIP's folder by itself scores how well a picture fits
// a text, with a head over its embeddings how much people would like it.
struct ScorerConfig {
  std::string id;              // as a model's
  std::string path;            // folder of a CLIPModel
  std::string aesthetic_head;  // folder of layers over it; empty: none
  bool operator==(const ScorerConfig&) const = default;
};

// What becomes of pictures that a model's safety checker marks. A request may
// only be stricter.
struct SafetyConfig {
  v1::SafetyPolicy policy = v1::SAFETY_POLICY_OFF;
  std::string checker;  // for models without one; empty: none
  bool operator==(const SafetyConfig&) const = default;
};

// How pictures tell that a machine made them.
struct ProvenanceConfig {
  bool watermark = false;        // of requests that do not say
  bool may_be_left_out = false;  // a request may go without marks
  bool operator==(const ProvenanceConfig&) const = default;
};

// What of all that decides about requests.
struct PictureRules {
  SafetyConfig safety = {};
  ProvenanceConfig provenance = {};
  std::vector<std::string> scorers = {};  // their names
  std::set<std::string> aesthetic = {};   // of those, the ones without prompts
  bool operator==(const PictureRules&) const = default;
};

// Pictures that are kept for when the same request comes again.
struct ResultCacheConfig {
  int64_t bytes = 0;         // of all; 0: off
  int64_t tenant_bytes = 0;  // of one tenant; 0: as `bytes`
  std::string folder;        // empty: in memory, until the process ends
  bool operator==(const ResultCacheConfig&) const = default;
};

}  // namespace genzo

#endif  // GENZO_BASE_PICTURE_CONFIG_H_
