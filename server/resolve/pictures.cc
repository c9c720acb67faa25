#include "server/resolve/pictures.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace genzo {
namespace {

void ResolveBestOf(const v1::Model& model, const PictureRules& rules,
                   v1::GenerateRequest& request, Violations& violations) {
  if (!request.has_best_of()) return;
  const v1::BestOf& best = request.best_of();
  violations.CheckRange("best_of.draw", best.draw(), request.image_count(),
                        model.limits().max_image_count());
  const std::string known =
      rules.scorers.empty() ? "none" : absl::StrJoin(rules.scorers, ", ");
  if (best.scorer().empty()) {
    if (Takes(model, "best_of")) return;
    violations.Add("best_of", absl::StrCat("best_of: model \"", model.id(),
                                           "\" has no scorer; best_of.scorer "
                                           "can be one of the server's: ",
                                           known));
  } else if (std::count(rules.scorers.begin(), rules.scorers.end(),
                        best.scorer()) == 0) {
    violations.Add("best_of.scorer",
                   absl::StrCat("best_of.scorer \"", best.scorer(),
                                "\" is not one of the server's: ", known));
  }
}

void ResolveSafety(const v1::Model& model, const PictureRules& rules,
                   v1::GenerateRequest& request, Violations& violations) {
  violations.CheckEnum("safety_policy", request.safety_policy(),
                       *v1::SafetyPolicy_descriptor());
  request.set_safety_policy(
      std::max(request.safety_policy(), rules.safety.policy));
  if (request.safety_policy() == v1::SAFETY_POLICY_OFF ||
      !rules.safety.checker.empty() || Takes(model, "safety_policy")) {
    return;
  }
  violations.Add(
      "safety_policy",
      absl::StrCat(
          "safety_policy ",
          NameOf(*v1::SafetyPolicy_descriptor(), request.safety_policy()),
          rules.safety.policy == v1::SAFETY_POLICY_OFF
              ? ""
              : ", at least the server's",
          ": model \"", model.id(), "\" has no safety checker"));
}

void ResolveMark(const char* field, bool server_marks, bool may_be_left_out,
                 bool marks, Violations& violations) {
  if (marks || !server_marks || may_be_left_out) return;
  violations.Add(field, absl::StrCat(field,
                                     " false: this server's pictures "
                                     "do not go without"));
}

}  // namespace

void ResolveMarks(const ProvenanceConfig& rules, v1::OutputOptions& output,
                  Violations& violations) {
  if (!output.has_mark_provenance()) output.set_mark_provenance(true);
  if (!output.has_watermark()) output.set_watermark(rules.watermark);
  ResolveMark("output.mark_provenance", /*server_marks=*/true,
              rules.may_be_left_out, output.mark_provenance(), violations);
  ResolveMark("output.watermark", rules.watermark, rules.may_be_left_out,
              output.watermark(), violations);
}

void ResolvePictures(const v1::Model& model, const PictureRules& rules,
                     v1::GenerateRequest& request, Violations& violations) {
  ResolveBestOf(model, rules, request, violations);
  ResolveSafety(model, rules, request, violations);
  ResolveMarks(rules.provenance, *request.mutable_output(), violations);
}

}  // namespace genzo
