#include "tests/parity/family.h"

#include "ATen/TensorOperators.h"

namespace genzo::parity {
namespace {

using nlohmann::json;

template <typename Model>
class FamilyOfModel : public Family {
 public:
  explicit FamilyOfModel(const Model& model) : model_(model) {}

  const Pipeline& pipeline() const override { return model_; }
  absl::StatusOr<std::vector<Stage>> PlanBy(
      const json& scheduler, const ImageRequest& image,
      const Encoded& encoded) const override {
    return model_.PlanBy(scheduler, image, encoded);
  }

 protected:
  const Model& model_;
};

// Of one encoder without pooled text.
template <typename Model>
class SdFamily : public FamilyOfModel<Model> {
 public:
  using FamilyOfModel<Model>::FamilyOfModel;

  std::vector<std::pair<std::string, const ClipTokenizer*>> Tokenizers()
      const override {
    return {{"text_encoder", &model_.tokenizer()}};
  }
  ClipTextStates TextOf(const v1::GenerateRequest& request,
                        bool negative) const override {
    return {.hidden = negative ? model_.EncodeTexts({request.negative_prompt()},
                                                    /*clip_skip=*/0)
                               : model_.EncodeTexts({request.prompt()},
                                                    request.clip_skip()),
            .pooled = {}};
  }
  LearnedWords WordsOf(const EmbeddingLibrary& library,
                       const std::string& /*text_encoder*/) const override {
    return LearnedWords(library, model_.traits().text_widths, /*encoder=*/0,
                        model_.tokenizer().id_end());
  }

 private:
  using FamilyOfModel<Model>::model_;
};

class SdxlFamily : public FamilyOfModel<StableDiffusionXL> {
 public:
  using FamilyOfModel::FamilyOfModel;

  std::vector<std::pair<std::string, const ClipTokenizer*>> Tokenizers()
      const override {
    std::vector<std::pair<std::string, const ClipTokenizer*>> tokenizers;
    if (model_.first_text() != nullptr) {
      tokenizers.emplace_back("text_encoder", &model_.first_text()->tokenizer);
    }
    tokenizers.emplace_back("text_encoder_2", &model_.second_text().tokenizer);
    return tokenizers;
  }
  ClipTextStates TextOf(const v1::GenerateRequest& request,
                        bool negative) const override {
    const auto or_else = [](const std::string& a, const std::string& b) {
      return a.empty() ? b : a;
    };
    if (!negative) {
      return model_.EncodeTexts({request.prompt()},
                                {or_else(request.prompt_2(), request.prompt())},
                                request.clip_skip());
    }
    ClipTextStates states = model_.EncodeTexts(
        {request.negative_prompt()},
        {or_else(request.negative_prompt_2(), request.negative_prompt())},
        /*clip_skip=*/0);
    if (model_.zeroes_empty_negative() && request.negative_prompt().empty()) {
      states.hidden = states.hidden * 0;
      states.pooled = states.pooled * 0;
    }
    return states;
  }
  LearnedWords WordsOf(const EmbeddingLibrary& library,
                       const std::string& text_encoder) const override {
    const bool second = text_encoder == "text_encoder_2";
    return LearnedWords(library, model_.traits().text_widths, second ? 1 : 0,
                        model_.second_text().tokenizer.id_end());
  }
  bool is_refiner() const override { return model_.first_text() == nullptr; }
  bool zeroes_empty_negative() const override {
    return model_.zeroes_empty_negative();
  }
};

}  // namespace

std::unique_ptr<Family> FamilyOf(const Pipeline& pipeline) {
  if (const auto* sd = dynamic_cast<const StableDiffusion*>(&pipeline)) {
    return std::make_unique<SdFamily<StableDiffusion>>(*sd);
  }
  if (const auto* up = dynamic_cast<const StableDiffusionUpscale*>(&pipeline)) {
    return std::make_unique<SdFamily<StableDiffusionUpscale>>(*up);
  }
  if (const auto* un = dynamic_cast<const StableDiffusionUnclip*>(&pipeline)) {
    return std::make_unique<SdFamily<StableDiffusionUnclip>>(*un);
  }
  if (const auto* xl = dynamic_cast<const StableDiffusionXL*>(&pipeline)) {
    return std::make_unique<SdxlFamily>(*xl);
  }
  return nullptr;
}

}  // namespace genzo::parity
