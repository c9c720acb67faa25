#ifndef GENZO_TESTS_PARITY_FAMILY_H_
#define GENZO_TESTS_PARITY_FAMILY_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/parity/cases.h"

namespace genzo::parity {

// What the families differ in here.
class Family {
 public:
  virtual ~Family() = default;

  virtual const Pipeline& pipeline() const = 0;
  virtual absl::StatusOr<std::vector<Stage>> PlanBy(
      const nlohmann::json& scheduler, const ImageRequest& image,
      const Encoded& encoded) const = 0;
  // The manifest's names of the text encoders, and their tokenizers.
  virtual std::vector<std::pair<std::string, const ClipTokenizer*>> Tokenizers()
      const = 0;
  // Of a request's prompt, or its negative prompt; `pooled` may be undefined.
  virtual ClipTextStates TextOf(const v1::GenerateRequest& request,
                                bool negative) const = 0;
  // The same as ids, where learned words may stand in the prompts.
  virtual LearnedWords WordsOf(const EmbeddingLibrary& library,
                               const std::string& text_encoder) const = 0;
  // SDXL alone: whether it refines what another began, and whether an empty
  // negative prompt is zeros rather than a text.
  virtual bool is_refiner() const { return false; }
  virtual bool zeroes_empty_negative() const { return false; }
};

// Null for a pipeline that no case here is of; else `pipeline` outlives it.
std::unique_ptr<Family> FamilyOf(const Pipeline& pipeline);

}  // namespace genzo::parity

#endif  // GENZO_TESTS_PARITY_FAMILY_H_
