#include "base/config_pictures.h"

#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

// Parses one document and hands it to `read`, which remembers the first fault.
void ReadScorers(MapReader& root, const std::string& base_folder,
                 absl::Status& status, std::vector<ScorerConfig>& scorers) {
  const YAML::Node list = root.Child("scorers");
  if (!list) return;
  if (!list.IsSequence()) return root.Fail("scorers is not a list");
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string path = absl::StrCat("scorers[", i, "]");
    ScorerConfig scorer;
    MapReader map(list[i], path, status);
    map.Read("id", scorer.id);
    ReadPath(map, "path", base_folder, scorer.path);
    ReadPath(map, "aesthetic_head", base_folder, scorer.aesthetic_head);
    if (!IsModelId(scorer.id)) {
      map.Fail(absl::StrCat(path, ".id \"", scorer.id,
                            "\" does not match [a-z0-9][a-z0-9._-]{0,62}"));
    }
    if (scorer.path.empty()) map.Fail(absl::StrCat(path, ".path is missing"));
    for (const ScorerConfig& other : scorers) {
      if (other.id != scorer.id) continue;
      map.Fail(absl::StrCat(path, ".id \"", scorer.id, "\" occurs twice"));
    }
    scorers.push_back(std::move(scorer));
  }
}

}  // namespace

// What pictures are checked for and marked with, and what is kept of them.
void ReadPictures(MapReader& root, const std::string& base_folder,
                  absl::Status& status, Config& config) {
  ReadScorers(root, base_folder, status, config.scorers);
  {
    MapReader map(root.Child("safety"), "safety", status);
    const std::map<std::string, v1::SafetyPolicy> policies = {
        {"off", v1::SAFETY_POLICY_OFF},
        {"mark", v1::SAFETY_POLICY_MARK},
        {"blur", v1::SAFETY_POLICY_BLUR},
        {"refuse", v1::SAFETY_POLICY_REFUSE}};
    std::string policy = "off";
    map.ReadChoice("policy", {"off", "mark", "blur", "refuse"}, policy);
    const auto chosen = policies.find(policy);
    if (chosen != policies.end()) config.safety.policy = chosen->second;
    ReadPath(map, "checker", base_folder, config.safety.checker);
  }
  {
    MapReader map(root.Child("provenance"), "provenance", status);
    map.Read("watermark", config.provenance.watermark);
    map.Read("may_be_left_out", config.provenance.may_be_left_out);
  }
  PictureRules& rules = config.limits.pictures;
  rules.safety = config.safety;
  rules.provenance = config.provenance;
  for (const ScorerConfig& scorer : config.scorers) {
    rules.scorers.push_back(scorer.id);
    if (!scorer.aesthetic_head.empty()) rules.aesthetic.insert(scorer.id);
  }
  MapReader map(root.Child("result_cache"), "result_cache", status);
  int megabytes = 0;
  int tenant_megabytes = 0;
  map.Read("mb", 0, 1 << 20, megabytes);
  map.Read("tenant_mb", 0, 1 << 20, tenant_megabytes);
  config.result_cache.bytes = int64_t{megabytes} << 20;
  config.result_cache.tenant_bytes = int64_t{tenant_megabytes} << 20;
  ReadPath(map, "folder", base_folder, config.result_cache.folder);
}

}  // namespace genzo
