#include "ATen/ops/cat.h"
#include "ATen/ops/clamp.h"
#include "ATen/ops/linalg_vector_norm.h"
#include "ATen/ops/tensor.h"
#include "absl/strings/str_cat.h"
#include "tests/parity/cases.h"
#include "worker/vision/aesthetic_head.h"
#include "worker/vision/clip_scorer.h"
#include "worker/vision/safety_checker.h"

namespace genzo::parity {
namespace {

// The recorded pictures, in order.
std::vector<Pixels> InputPictures(const Golden& golden) {
  std::vector<Pixels> pictures;
  for (int i = 0; golden.Has(absl::StrCat("input_image.", i)); ++i) {
    const at::Tensor image =
        golden.Tensor(absl::StrCat("input_image.", i)).contiguous();
    pictures.push_back({.width = static_cast<int>(image.size(1)),
                        .height = static_cast<int>(image.size(0)),
                        .rgb = std::string(reinterpret_cast<const char*>(
                                               image.const_data_ptr<uint8_t>()),
                                           image.numel())});
  }
  return pictures;
}

at::Tensor Processed(const ClipImageProcessor& processor,
                     const std::vector<Pixels>& pictures) {
  std::vector<at::Tensor> pixels;
  for (const Pixels& picture : pictures) {
    pixels.push_back(processor.Process(picture));
  }
  return at::cat(pixels);
}

at::Tensor OfLengthOne(const at::Tensor& x) {
  return x / at::linalg_vector_norm(x, 2, {-1}, /*keepdim=*/true);
}

at::Tensor EmbedPictures(const ClipScorer& scorer,
                         const std::vector<Pixels>& pictures) {
  std::vector<at::Tensor> embeddings;
  for (const Pixels& picture : pictures) {
    embeddings.push_back(scorer.EmbedPicture(picture));
  }
  return at::cat(embeddings);
}

at::Tensor Scores(const std::vector<SafetyVerdict>& verdicts,
                  std::vector<float> SafetyVerdict::*scores) {
  std::vector<at::Tensor> rows;
  for (const SafetyVerdict& verdict : verdicts) {
    rows.push_back(at::tensor(verdict.*scores).view({1, -1}));
  }
  return at::cat(rows);
}

}  // namespace

void RunClipScoringCase(const Golden& golden, const ModelCache& models,
                        Report& report) {
  const auto scorer =
      ClipScorer::Open(models.Path(golden.manifest["model"]), Placement());
  if (!scorer.ok()) return report.Fail(std::string(scorer.status().message()));
  const std::vector<Pixels> pictures = InputPictures(golden);
  report.CompareTensors("pixels", Processed((*scorer)->processor(), pictures),
                        golden.Tensor("pixel_values"));
  const at::Tensor images = EmbedPictures(**scorer, pictures);
  std::vector<at::Tensor> texts, ids;
  for (const auto& entry : golden.manifest["texts"]) {
    const std::string text = entry;
    texts.push_back((*scorer)->EmbedText(text));
    ids.push_back(
        at::tensor((*scorer)->tokenizer().EncodePadded(text), at::kLong)
            .view({1, -1}));
  }
  report.CompareTensors("ids", at::cat(ids), golden.Tensor("token_ids"));
  const at::Tensor read = at::cat(texts);
  report.CompareTensors("images", OfLengthOne(images),
                        golden.Tensor("image_embeds"));
  report.CompareTensors("texts", OfLengthOne(read),
                        golden.Tensor("text_embeds"));
  const at::Tensor cosine = CosineSimilarity(images, read);
  report.CompareTensors("cosine", cosine, golden.Tensor("cosine"));
  report.CompareTensors("logits", cosine * (*scorer)->logit_scale(),
                        golden.Tensor("logits_per_image"));
  report.CompareTensors("score", at::clamp(cosine * 100, 0),
                        golden.Tensor("clip_score"));
}

void RunAestheticCase(const Golden& golden, const ModelCache& models,
                      Report& report) {
  const auto scorer = ClipScorer::Open(
      models.Path(golden.manifest["components"]["clip"]), Placement());
  if (!scorer.ok()) return report.Fail(std::string(scorer.status().message()));
  const auto head = AestheticHead::Open(models.Path(golden.manifest["model"]),
                                        (*scorer)->embedding_size());
  if (!head.ok()) return report.Fail(std::string(head.status().message()));
  const std::vector<Pixels> pictures = InputPictures(golden);
  report.CompareTensors("pixels", Processed((*scorer)->processor(), pictures),
                        golden.Tensor("pixel_values"));
  const at::Tensor images = EmbedPictures(**scorer, pictures);
  report.CompareTensors("images", images, golden.Tensor("image_embeds"));
  report.CompareTensors("score", head->forward(images), golden.Tensor("score"));
}

void RunSafetyCheckerCase(const Golden& golden, const ModelCache& models,
                          Report& report) {
  const std::string folder = models.Path(golden.manifest["model"]);
  const auto checker = SafetyChecker::Open(folder, folder, Placement());
  if (!checker.ok())
    return report.Fail(std::string(checker.status().message()));
  const std::vector<Pixels> pictures = InputPictures(golden);
  const at::Tensor pixels = Processed((*checker)->processor(), pictures);
  report.CompareTensors("pixels", pixels, golden.Tensor("pixel_values"));
  const ClipVisionStates states = (*checker)->vision().forward(pixels);
  report.CompareTensors("pooled", states.pooled, golden.Tensor("pooled"));
  report.CompareTensors("images", states.embedding,
                        golden.Tensor("image_embeds"));
  const auto cosines = (*checker)->CosinesOf(states.embedding);
  report.CompareTensors("special", cosines.special,
                        golden.Tensor("special_cosine"));
  report.CompareTensors("concepts", cosines.concepts,
                        golden.Tensor("concept_cosine"));
  std::vector<SafetyVerdict> verdicts;
  int wrong = 0;
  const at::Tensor unsafe = golden.Tensor("unsafe");
  for (size_t i = 0; i < pictures.size(); ++i) {
    verdicts.push_back((*checker)->Check(pictures[i]));
    wrong += verdicts.back().unsafe != unsafe[i].item<bool>() ? 1 : 0;
  }
  report.CompareTensors("special scores",
                        Scores(verdicts, &SafetyVerdict::special_scores),
                        golden.Tensor("special_scores"));
  report.CompareTensors("concept scores",
                        Scores(verdicts, &SafetyVerdict::concept_scores),
                        golden.Tensor("concept_scores"));
  report.Compare("verdicts", wrong, 0);
}

}  // namespace genzo::parity
