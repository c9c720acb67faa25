#include <algorithm>
#include <cmath>
#include <deque>
#include <set>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/parity/cases.h"
#include "tests/parity/family.h"
#include "worker/engine/evaluate.h"
#include "worker/pipeline/prompt_rows.h"

namespace genzo::parity {
namespace {

using nlohmann::json;

constexpr char kWeighted[] = "StableDiffusionLongPromptWeightingPipeline";

const std::set<std::string>& KnownArguments() {
  static const auto* const known =
      new std::set<std::string>{"prompt",
                                "negative_prompt",
                                "height",
                                "width",
                                "guidance_scale",
                                "num_inference_steps",
                                "eta",
                                "guidance_rescale",
                                "clip_skip",
                                "num_images_per_prompt",
                                "strength",
                                "prompt_2",
                                "negative_prompt_2",
                                "original_size",
                                "target_size",
                                "crops_coords_top_left",
                                "negative_original_size",
                                "negative_target_size",
                                "negative_crops_coords_top_left",
                                "denoising_end",
                                "denoising_start",
                                "aesthetic_score",
                                "negative_aesthetic_score",
                                "image_guidance_scale",
                                "noise_level",
                                "max_embeddings_multiples",
                                "controlnet_conditioning_scale",
                                "control_guidance_start",
                                "control_guidance_end",
                                "guess_mode",
                                "output_type"};
  return *known;
}

const std::set<std::string>& KnownPipelines() {
  static const auto* const known =
      new std::set<std::string>{"StableDiffusionPipeline",
                                "StableDiffusionImg2ImgPipeline",
                                "LatentConsistencyModelPipeline",
                                "StableDiffusionInstructPix2PixPipeline",
                                "StableDiffusionInpaintPipeline",
                                "StableDiffusionDepth2ImgPipeline",
                                "StableDiffusionUpscalePipeline",
                                "StableUnCLIPImg2ImgPipeline",
                                kWeighted,
                                "StableDiffusionControlNetPipeline",
                                "StableDiffusionControlNetImg2ImgPipeline",
                                "StableDiffusionXLPipeline",
                                "StableDiffusionXLControlNetPipeline",
                                "StableDiffusionXLControlNetImg2ImgPipeline",
                                "StableDiffusionXLImg2ImgPipeline",
                                "StableDiffusionXLInpaintPipeline"};
  return *known;
}

// Why the case is not supported; empty if it is.
std::string UnsupportedReason(const json& manifest) {
  const std::string pipeline = manifest["pipeline"];
  if (KnownPipelines().count(pipeline) == 0) {
    return absl::StrCat("pipeline ", pipeline);
  }
  for (const auto& item : manifest["call"].items()) {
    if (KnownArguments().count(item.key()) == 0) {
      return absl::StrCat("argument ", item.key());
    }
  }
  return "";
}

// `value` for each of `count` prompts: a string for all, a list, or nothing.
std::vector<std::string> Texts(const json& value, size_t count) {
  if (value.is_string()) return {count, value.get<std::string>()};
  if (value.is_array()) return value.get<std::vector<std::string>>();
  return std::vector<std::string>(count, "");
}

// Where a pipeline's walk begins that is not told.
double DefaultStrength(const std::string& pipeline) {
  if (pipeline == "StableDiffusionInpaintPipeline") return 1;
  return pipeline == "StableDiffusionXLInpaintPipeline" ? 0.9999 : 0.8;
}

// [height, width] or [top, left] of a call.
void SetSizes(const json& call, const std::string& prefix,
              v1::SizeConditioning::Sizes& sizes) {
  const auto set = [&](const char* name, auto set_first, auto set_second) {
    const auto found = call.find(prefix + name);
    if (found == call.end()) return;
    (sizes.*set_first)((*found)[0]);
    (sizes.*set_second)((*found)[1]);
  };
  using Sizes = v1::SizeConditioning::Sizes;
  set("original_size", &Sizes::set_original_height, &Sizes::set_original_width);
  set("target_size", &Sizes::set_target_height, &Sizes::set_target_width);
  set("crops_coords_top_left", &Sizes::set_crop_top, &Sizes::set_crop_left);
}

// The case while it runs: one Run for each image, built as the engine does.
class PipelineCase {
 public:
  PipelineCase(const Golden& golden, const Family& family,
               std::vector<ControlHint> controls,
               std::vector<PictureInput> pictures, AdapterUses adapters,
               Report& report)
      : golden_(golden),
        call_(golden.manifest["call"]),
        family_(family),
        model_(family.pipeline()),
        adapters_(std::move(adapters)),
        controls_(std::move(controls)),
        pictures_(std::move(pictures)),
        report_(report),
        prompts_(Texts(call_["prompt"], call_["prompt"].is_array()
                                            ? call_["prompt"].size()
                                            : 1)),
        negatives_(
            Texts(call_.value("negative_prompt", json()), prompts_.size())) {
    MakeRequests();
  }

  // Words that were trained, under the names that the case calls them by.
  absl::Status LoadEmbeddings(const ModelCache& models) {
    const auto files = golden_.manifest.find("textual_inversion");
    if (files == golden_.manifest.end()) return absl::OkStatus();
    std::vector<LearnedEmbedding> embeddings;
    for (const json& file : *files) {
      auto read = ReadEmbedding(models.Path(file["file"]));
      if (!read.ok()) return read.status();
      read->name = file["token"];
      embeddings.push_back(*std::move(read));
    }
    library_ = EmbeddingLibrary(std::move(embeddings));
    return absl::OkStatus();
  }

  // Prompts that are more than plain text: what the encoders are given.
  void CompareWindows() {
    for (const auto& [name, tokenizer] : family_.Tokenizers()) {
      const LearnedWords learned = family_.WordsOf(library_, name);
      const WindowRules rules =
          RulesOf(requests_[0], learned,
                  /*pooled=*/family_.Tokenizers().size() > 1);
      std::vector<TokenWindow> positive =
          ReadWindows(*tokenizer, requests_[0].prompt(), rules);
      std::vector<TokenWindow> negative =
          ReadWindows(*tokenizer, requests_[0].negative_prompt(), rules);
      const size_t windows = std::max(positive.size(), negative.size());
      PadWindows(*tokenizer, rules, windows, positive);
      PadWindows(*tokenizer, rules, windows, negative);
      CompareWindow(absl::StrCat("token_ids.", name), "", positive);
      CompareWindow(absl::StrCat("token_ids.", name, ".negative"), "",
                    negative);
      if (name != "text_encoder") continue;
      // Of several windows the manifest has the ids in one.
      CompareWindow(windows == 1 ? "token_ids.prompt" : "",
                    "token_weights.prompt", positive);
      CompareWindow(windows == 1 ? "token_ids.negative" : "",
                    "token_weights.negative", negative);
    }
  }

  void CompareTexts() {
    if (requests_[0].prompt_syntax() != v1::PROMPT_SYNTAX_UNSPECIFIED) {
      return CompareWindows();
    }
    for (const auto& [name, tokenizer] : family_.Tokenizers()) {
      const bool second = name == "text_encoder_2";
      CompareIds(absl::StrCat("token_ids.", name), *tokenizer,
                 second ? Texts(call_.value("prompt_2", json(prompts_)),
                                prompts_.size())
                        : prompts_);
      CompareIds(absl::StrCat("token_ids.", name, ".negative"), *tokenizer,
                 second
                     ? Texts(call_.value("negative_prompt_2", json(negatives_)),
                             negatives_.size())
                     : negatives_);
    }
    if (!adapters_.empty()) return;  // the steps show what they make of texts
    for (const bool negative : {false, true}) {
      const std::string prefix = negative ? "negative_" : "";
      if (!golden_.Has(prefix + "prompt_embeds")) continue;
      std::vector<at::Tensor> hidden;
      std::vector<at::Tensor> pooled;
      for (const v1::GenerateRequest& request : requests_) {
        const ClipTextStates states = family_.TextOf(request, negative);
        hidden.push_back(states.hidden);
        pooled.push_back(states.pooled);
      }
      report_.CompareTensors("embeds", at::cat(hidden),
                             PerPrompt(prefix + "prompt_embeds"));
      if (!pooled[0].defined()) continue;
      report_.CompareTensors("pooled", at::cat(pooled),
                             PerPrompt(prefix + "pooled_prompt_embeds"));
    }
  }

  // One call of the denoiser with the recorded input, which is float32.
  void CompareDenoiser() {
    if (report_.precision() == Precision::kHalf) return;
    // What these add is not in its input.
    if (!controls_.empty() || !pictures_.empty()) return;
    CompareFirstCall(golden_, model_.denoiser(), DenoiserAdapters(adapters_),
                     report_);
  }

  absl::Status CreateRuns() {
    json scheduler = golden_.manifest["scheduler"]["config"];
    scheduler["_class_name"] = golden_.manifest["scheduler"]["class"];
    const auto encoded = Encode();
    const int64_t images = golden_.Tensor("initial_latents").size(0);
    for (int64_t i = 0; i < images; ++i) {
      const auto prompt = static_cast<size_t>(i) * prompts_.size() /
                          static_cast<size_t>(images);
      if (!encoded[prompt].ok()) return encoded[prompt].status();
      auto stages =
          family_.PlanBy(scheduler,
                         {.request = requests_[prompt],
                          .noise = std::make_shared<RecordedNoise>(Noise(i))},
                         *encoded[prompt]);
      if (!stages.ok()) return stages.status();
      if (call_.contains("denoising_start")) {
        stages->front().sampler->Replace(
            golden_.Tensor("input_image").narrow(0, i, 1));
      }
      runs_.emplace_back(*std::move(stages));
    }
    return absl::OkStatus();
  }

  // All runs together, as the engine batches them.
  void CompareSteps() {
    std::vector<Run*> runs;
    for (Run& run : runs_) runs.push_back(&run);
    report_.CompareTensors("start", Latents(),
                           golden_.Tensor("initial_latents"));
    const at::Tensor outputs = golden_.Tensor("step_model_output");
    const at::Tensor expected = golden_.Tensor(
        golden_.Has("step_out_blended") ? "step_out_blended" : "step_out");
    const int64_t evaluations = expected.size(0);
    // A walk from a picture has the last of the timesteps.
    const at::Tensor all = golden_.Tensor(
        golden_.Has("step_timesteps") ? "step_timesteps" : "timesteps");
    const at::Tensor timesteps =
        all.slice(0, all.size(0) - evaluations, all.size(0));
    if (runs_[0].progress().evaluations != evaluations) {
      return report_.Fail(absl::StrCat(runs_[0].progress().evaluations,
                                       " evaluations, not ", evaluations));
    }
    for (int64_t step = 0; step < evaluations; ++step) {
      report_.Compare(
          "timestep",
          std::abs(runs_[0].Next()->timestep - timesteps[step].item<double>()),
          1e-3);
      const auto predictions = Evaluate(runs, joiner_);
      if (!predictions.ok()) {
        return report_.Fail(std::string(predictions.status().message()));
      }
      report_.CompareTensors("guided", at::cat(*predictions), outputs[step]);
      for (size_t i = 0; i < runs.size(); ++i) {
        const absl::Status taken = runs[i]->Take((*predictions)[i]);
        if (!taken.ok()) return report_.Fail(std::string(taken.message()));
      }
      report_.CompareTensors("latents", Latents(), expected[step]);
    }
  }

  void CompareImages() {
    report_.CompareTensors("latents", Latents(),
                           golden_.Tensor("final_latents"));
    if (!golden_.Has("image_uint8")) return;
    const at::Tensor decoded = model_.codec().Decode(Latents());
    if (golden_.Has("decoded")) {
      report_.CompareTensors("decoded", decoded, golden_.Tensor("decoded"));
    }
    report_.CompareImages(decoded, golden_.Tensor("image_uint8"));
  }

 private:
  bool HasPicture() const {
    return golden_.Has("input_image") && !call_.contains("denoising_start");
  }

  void MakeRequests() {
    for (size_t i = 0; i < prompts_.size(); ++i) {
      v1::GenerateRequest& request = requests_.emplace_back();
      request.set_prompt(prompts_[i]);
      request.set_negative_prompt(negatives_[i]);
      request.set_prompt_2(call_.value("prompt_2", ""));
      request.set_negative_prompt_2(call_.value("negative_prompt_2", ""));
      request.set_width(golden_.manifest["width"].get<int>());
      request.set_height(golden_.manifest["height"].get<int>());
      request.set_steps(call_["num_inference_steps"].get<int>());
      request.set_guidance_scale(call_.value("guidance_scale", 7.5));
      request.set_guidance_rescale(call_.value("guidance_rescale", 0.0));
      request.set_eta(call_.value("eta", 0.0));
      if (golden_.manifest["pipeline"] == kWeighted ||
          golden_.manifest.contains("textual_inversion")) {
        request.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
      }
      request.set_clip_skip(call_.value("clip_skip", 0));
      if (HasPicture()) {
        request.mutable_image_to_image()->set_strength(call_.value(
            "strength", DefaultStrength(golden_.manifest["pipeline"])));
      }
      SetModelFields(request);
    }
  }

  void SetModelFields(v1::GenerateRequest& request) const {
    v1::SizeConditioning& sizes = *request.mutable_size_conditioning();
    SetSizes(call_, "", *sizes.mutable_prompt());
    if (call_.contains("negative_original_size")) {
      SetSizes(call_, "negative_", *sizes.mutable_negative());
    }
    const auto found = call_.find("image_guidance_scale");
    if (found != call_.end()) request.set_image_guidance_scale(*found);
    const auto noised = call_.find("noise_level");
    if (noised != call_.end()) request.set_noise_level(*noised);
    for (const char* end : {"denoising_end", "denoising_start"}) {
      if (!call_.contains(end)) continue;
      request.mutable_refiner()->set_switch_at(call_[end]);
    }
    if (!call_.contains("aesthetic_score")) return;
    request.mutable_refiner()->set_aesthetic_score(call_["aesthetic_score"]);
    request.mutable_refiner()->set_negative_aesthetic_score(
        call_["negative_aesthetic_score"]);
  }

  std::vector<absl::StatusOr<Encoded>> Encode() {
    std::vector<EncodeTask> tasks;
    for (const v1::GenerateRequest& request : requests_) {
      EncodeTask& task =
          tasks.emplace_back(EncodeTask{.request = request,
                                        .embeddings = &library_,
                                        .adapters = adapters_,
                                        .controls = controls_,
                                        .image_prompts = pictures_});
      if (!HasPicture()) continue;
      SetPictures(golden_, task);
    }
    TextCache texts(/*max_bytes=*/1 << 20);
    auto encoded = model_.Encode(tasks, /*together=*/true, texts);
    if (encoded[0].ok()) ComparePictures(golden_, *encoded[0], report_);
    return encoded;
  }

  // Ids and weights of all windows, where the golden has them by these names.
  void CompareWindow(const std::string& ids, const std::string& weights,
                     const std::vector<TokenWindow>& windows) {
    double different = 0;
    double off = 0;
    const int64_t length = windows[0].ids.size();
    for (int64_t i = 0; i < length * static_cast<int64_t>(windows.size());
         ++i) {
      const TokenWindow& window = windows[i / length];
      if (golden_.Has(ids)) {
        const auto expected = golden_.Tensor(ids)[0][i].item<int64_t>();
        different += window.ids[i % length] != expected ? 1 : 0;
      }
      if (golden_.Has(weights)) {
        const auto expected = golden_.Tensor(weights)[0][i].item<double>();
        off = std::max(off, std::abs(window.weights[i % length] - expected));
      }
    }
    if (golden_.Has(ids)) report_.Compare("ids", different, 0);
    if (golden_.Has(weights)) report_.Compare("weights", off, 1e-6);
  }

  void CompareIds(const std::string& name, const ClipTokenizer& tokenizer,
                  const std::vector<std::string>& texts) {
    if (!golden_.Has(name)) return;
    const at::Tensor expected = golden_.Tensor(name);
    double different = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::vector<int64_t> ids = tokenizer.EncodePadded(texts[i]);
      for (size_t j = 0; j < ids.size(); ++j) {
        different += ids[j] != expected[i][j].item<int64_t>() ? 1 : 0;
      }
    }
    report_.Compare("ids", different, 0);
  }

  // Recorded embeddings are repeated for each image of a prompt.
  at::Tensor PerPrompt(const std::string& name) const {
    const at::Tensor all = golden_.Tensor(name);
    const auto count = static_cast<int64_t>(prompts_.size());
    return all.slice(0, 0, all.size(0), all.size(0) / count);
  }

  // All that one image draws, in order.
  std::vector<at::Tensor> Noise(int64_t image) const {
    std::vector<at::Tensor> draws;
    for (int draw = 0;; ++draw) {
      const std::string name = absl::StrFormat("noise.%03d", draw);
      if (!golden_.Has(name)) return draws;
      draws.push_back(DrawOf(golden_, name, image));
    }
  }

  at::Tensor Latents() const {
    std::vector<at::Tensor> latents;
    for (const Run& run : runs_) latents.push_back(run.latent());
    return at::cat(latents);
  }

  const Golden& golden_;
  const json& call_;
  const Family& family_;
  const Pipeline& model_;
  const AdapterUses adapters_;
  const std::vector<ControlHint> controls_;
  const std::vector<PictureInput> pictures_;
  Report& report_;
  const std::vector<std::string> prompts_;
  const std::vector<std::string> negatives_;
  std::deque<v1::GenerateRequest> requests_;  // one a prompt
  EmbeddingLibrary library_;
  PreparedJoiner joiner_;
  std::vector<Run> runs_;
};

}  // namespace

void RunPipelineCase(const Golden& golden, ModelCache& models, Report& report) {
  const std::string reason = UnsupportedReason(golden.manifest);
  if (!reason.empty()) return report.Unsupported(reason);
  const auto model = models.GetFor(golden.manifest);
  if (absl::IsUnimplemented(model.status())) {
    return report.Unsupported(std::string(model.status().message()));
  }
  if (!model.ok()) return report.Fail(std::string(model.status().message()));
  const auto family = FamilyOf(**model);
  if (family == nullptr) return report.Unsupported("another family");
  auto controls = models.ControlsFor(golden);
  if (!controls.ok())
    return report.Fail(std::string(controls.status().message()));
  auto pictures = models.PicturesFor(golden);
  if (!pictures.ok())
    return report.Fail(std::string(pictures.status().message()));
  auto adapters = AdaptersFor(golden.manifest, models, **model);
  if (!adapters.ok()) {
    return report.Fail(std::string(adapters.status().message()));
  }
  PipelineCase test(golden, *family, *std::move(controls), *std::move(pictures),
                    *std::move(adapters), report);
  const absl::Status embedded = test.LoadEmbeddings(models);
  if (!embedded.ok()) return report.Fail(std::string(embedded.message()));
  test.CompareTexts();
  test.CompareDenoiser();
  const absl::Status created = test.CreateRuns();
  if (absl::IsUnimplemented(created)) {
    return report.Unsupported(std::string(created.message()));
  }
  if (!created.ok()) return report.Fail(std::string(created.message()));
  test.CompareSteps();
  test.CompareImages();
}

}  // namespace genzo::parity
