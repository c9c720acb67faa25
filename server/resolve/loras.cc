#include "server/resolve/loras.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

constexpr int kMostLoras = 32;
constexpr int kMostBlocks = 100;
constexpr double kMostWeight = 10;

void CheckPrompt(const std::string& field, const std::string& prompt,
                 Violations& violations) {
  for (const char* tag : {"<lora:", "<lyco:"}) {
    if (!absl::StrContains(prompt, tag)) continue;
    violations.Add(field, absl::StrCat(field, " has ", tag,
                                       "...>, which is not read here: name the "
                                       "adapter in loras"));
    return;
  }
}

void ResolveLora(const std::string& field, const v1::Model& model,
                 const LoraCatalog* catalog, v1::LoraUse& lora,
                 Violations& violations) {
  if (!lora.has_weight()) lora.set_weight(1);
  if (!lora.has_text_encoder_weight()) {
    lora.set_text_encoder_weight(lora.weight());
  }
  if (!lora.has_start()) lora.set_start(0);
  if (!lora.has_end()) lora.set_end(1);
  const absl::Status usable =
      lora.name().empty()  ? absl::InvalidArgumentError("is empty")
      : catalog == nullptr ? absl::OkStatus()
                           : catalog->Check(lora.name(), model.id());
  const std::string name = absl::StrCat(field, ".name");
  if (!usable.ok()) {
    violations.Add(name, absl::StrCat(name, " ", usable.message()));
  }
  violations.CheckRange(absl::StrCat(field, ".weight"), lora.weight(),
                        -kMostWeight, kMostWeight);
  violations.CheckRange(absl::StrCat(field, ".text_encoder_weight"),
                        lora.text_encoder_weight(), -kMostWeight, kMostWeight);
  violations.CheckRange(absl::StrCat(field, ".start"), lora.start(), 0.0, 1.0);
  const std::string end = absl::StrCat(field, ".end");
  violations.CheckRange(end, lora.end(), 0.0, 1.0);
  if (lora.end() <= lora.start()) {
    violations.Add(
        end, absl::StrCat(end, " ", ShortestDigits(lora.end()), " is not over ",
                          field, ".start ", ShortestDigits(lora.start())));
  }
  const std::string blocks = absl::StrCat(field, ".block_weights");
  if (lora.block_weights_size() > kMostBlocks) {
    violations.Add(blocks,
                   absl::StrCat(blocks, " has ", lora.block_weights_size(),
                                " entries, the limit is ", kMostBlocks));
    return;
  }
  if (usable.ok() && catalog != nullptr) {
    const absl::Status fits = catalog->CheckBlocks(lora, model.id());
    if (!fits.ok()) {
      violations.Add(blocks, absl::StrCat(blocks, " ", fits.message()));
    }
  }
  for (int i = 0; i < lora.block_weights_size(); ++i) {
    const std::string own = absl::StrCat(blocks, "[", i, "]");
    if (lora.block_weights(i).block().empty()) {
      violations.Add(absl::StrCat(own, ".block"),
                     absl::StrCat(own, ".block is empty"));
    }
    violations.CheckRange(absl::StrCat(own, ".weight"),
                          lora.block_weights(i).weight(), -kMostWeight,
                          kMostWeight);
  }
}

}  // namespace

void ResolveLoras(const v1::Model& model, const LoraCatalog* catalog,
                  v1::GenerateRequest& request, Violations& violations) {
  const std::pair<const char*, const std::string*> prompts[] = {
      {"prompt", &request.prompt()},
      {"negative_prompt", &request.negative_prompt()},
      {"prompt_2", &request.prompt_2()},
      {"negative_prompt_2", &request.negative_prompt_2()},
      {"prompt_3", &request.prompt_3()},
      {"negative_prompt_3", &request.negative_prompt_3()},
      {"image_to_image.inversion.prompt",
       &request.image_to_image().inversion().prompt()}};
  for (const auto& [field, prompt] : prompts) {
    CheckPrompt(field, *prompt, violations);
  }
  if (request.loras().empty()) return;
  if (!Takes(model, "loras")) return violations.CheckTaken("loras", model);
  if (request.loras_size() > kMostLoras) {
    violations.Add("loras",
                   absl::StrCat("loras has ", request.loras_size(),
                                " entries, the limit is ", kMostLoras));
    return;
  }
  for (int i = 0; i < request.loras_size(); ++i) {
    ResolveLora(absl::StrCat("loras[", i, "]"), model, catalog,
                *request.mutable_loras(i), violations);
  }
}

}  // namespace genzo
