#include <set>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/parity/cases.h"
#include "worker/engine/evaluate.h"
#include "worker/media/pixels.h"
#include "worker/pipeline/text_cache.h"

namespace genzo::parity {
namespace {

using nlohmann::json;

const std::set<std::string>& KnownArguments() {
  static const auto* const known = new std::set<std::string>{
      "prompt",         "negative_prompt",      "height", "width",
      "guidance_scale", "num_inference_steps",  "eta",    "guidance_rescale",
      "clip_skip",      "num_images_per_prompt"};
  return *known;
}

// Why the case is not supported; empty if it is.
std::string UnsupportedReason(const json& manifest) {
  const std::string pipeline = manifest["pipeline"];
  if (pipeline != "StableDiffusionPipeline") {
    return absl::StrCat("pipeline ", pipeline);
  }
  if (!manifest["lora"].is_null()) return "LoRA";
  if (!manifest["components"].empty()) return "replaced components";
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

// The case while it runs: one Run for each image.
class PipelineCase {
 public:
  PipelineCase(const Golden& golden, const DiffusionModel& model,
               Report& report)
      : golden_(golden),
        call_(golden.manifest["call"]),
        model_(model),
        report_(report),
        prompts_(Texts(call_["prompt"], call_["prompt"].is_array()
                                            ? call_["prompt"].size()
                                            : 1)),
        negatives_(
            Texts(call_.value("negative_prompt", json()), prompts_.size())),
        guidance_{.scale = call_.value("guidance_scale", 7.5),
                  .rescale = call_.value("guidance_rescale", 0.0)} {}

  void CompareTexts() {
    CompareIds("token_ids.text_encoder", prompts_);
    if (guidance_.active()) {
      CompareIds("token_ids.text_encoder.negative", negatives_);
    }
    const at::Tensor positive = PerPrompt("prompt_embeds");
    for (size_t i = 0; i < prompts_.size(); ++i) {
      contexts_.push_back(at::cat(texts_.Encode(
          model_, PromptTexts(prompts_[i], negatives_[i], guidance_.active(),
                              call_.value("clip_skip", int64_t{0})))));
      const at::Tensor expected = positive.narrow(0, i, 1);
      report_.CompareTensors(
          "embeds", contexts_[i],
          guidance_.active()
              ? at::cat({PerPrompt("negative_prompt_embeds").narrow(0, i, 1),
                         expected})
              : expected);
    }
  }

  // One call of the denoiser with the recorded input.
  void CompareDenoiser() {
    const at::Tensor sample = golden_.Tensor("net0.in.sample");
    const at::Tensor timestep =
        golden_.Tensor("net0.in.timestep").to(at::kFloat);
    const at::Tensor context =
        golden_.Has("negative_prompt_embeds")
            ? at::cat({golden_.Tensor("negative_prompt_embeds"),
                       golden_.Tensor("prompt_embeds")})
            : golden_.Tensor("prompt_embeds");
    report_.CompareTensors(
        "unet",
        model_.Denoise(
            sample, std::vector<float>(sample.size(0), timestep.item<float>()),
            model_.ProjectContext(context)),
        golden_.Tensor("net0.out"));
  }

  absl::Status CreateRuns() {
    const json& scheduler = golden_.manifest["scheduler"];
    json config = scheduler["config"];
    config["_class_name"] = scheduler["class"];
    const auto id = DefaultSampler(config);
    if (!id.ok()) return id.status();
    const at::Tensor noise = golden_.Tensor("noise.000");
    for (int64_t i = 0; i < noise.size(0); ++i) {
      auto sampler = CreateSampler(
          *id, config,
          {.steps = call_["num_inference_steps"].get<int>(),
           .eta = call_.value("eta", 0.0)},
          {.noise = noise.narrow(0, i, 1),
           .source = std::make_shared<RecordedNoise>(LaterNoise(i))});
      if (!sampler.ok()) return sampler.status();
      const int64_t prompt =
          i * static_cast<int64_t>(prompts_.size()) / noise.size(0);
      runs_.push_back({.model = &model_,
                       .sampler = *std::move(sampler),
                       .context = std::make_shared<TextContext>(
                           model_.ProjectContext(contexts_[prompt])),
                       .guidance = guidance_});
    }
    return absl::OkStatus();
  }

  // All runs together, as the engine batches them.
  void CompareSteps() {
    std::vector<Run*> runs;
    for (Run& run : runs_) runs.push_back(&run);
    report_.CompareTensors("start", Latents(),
                           golden_.Tensor("initial_latents"));
    const at::Tensor timesteps = golden_.Tensor("timesteps");
    const at::Tensor outputs = golden_.Tensor("step_model_output");
    const at::Tensor expected = golden_.Tensor("step_out");
    if (runs_[0].sampler->steps() != expected.size(0)) {
      return report_.Fail(absl::StrCat(runs_[0].sampler->steps(),
                                       " evaluations, not ", expected.size(0)));
    }
    for (int64_t step = 0; step < expected.size(0); ++step) {
      report_.Compare("timestep",
                      std::abs(runs_[0].sampler->Next()->timestep -
                               timesteps[step].item<double>()),
                      1e-3);
      const auto predictions = Evaluate(runs, gatherer_);
      if (!predictions.ok()) {
        return report_.Fail(std::string(predictions.status().message()));
      }
      report_.CompareTensors("guided", at::cat(*predictions), outputs[step]);
      for (size_t i = 0; i < runs_.size(); ++i) {
        runs_[i].sampler->Advance((*predictions)[i]);
      }
      report_.CompareTensors("latents", Latents(), expected[step]);
    }
    report_.CompareTensors("latents", Latents(),
                           golden_.Tensor("final_latents"));
  }

  void CompareImages() {
    const at::Tensor decoded = model_.decoder().Full(Latents());
    if (golden_.Has("decoded")) {
      report_.CompareTensors("decoded", decoded, golden_.Tensor("decoded"));
    }
    const at::Tensor expected = golden_.Tensor("image_uint8");
    for (int64_t i = 0; i < decoded.size(0); ++i) {
      const Pixels pixels = ToPixels(decoded[i]);
      const at::Tensor image = expected[i].contiguous();
      int largest = 255;
      if (static_cast<size_t>(image.numel()) == pixels.rgb.size()) {
        largest = 0;
        for (size_t j = 0; j < pixels.rgb.size(); ++j) {
          const int actual = static_cast<unsigned char>(pixels.rgb[j]);
          largest = std::max(
              largest, std::abs(actual - image.const_data_ptr<uint8_t>()[j]));
        }
      }
      report_.Compare("image", largest, 1);
    }
  }

 private:
  void CompareIds(const std::string& name,
                  const std::vector<std::string>& texts) {
    const at::Tensor expected = golden_.Tensor(name);
    double different = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::vector<int64_t> ids =
          model_.tokenizer().EncodePadded(texts[i]);
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

  std::vector<at::Tensor> LaterNoise(int64_t image) const {
    std::vector<at::Tensor> draws;
    for (int draw = 1;; ++draw) {
      const std::string name = absl::StrFormat("noise.%03d", draw);
      if (!golden_.Has(name)) return draws;
      draws.push_back(golden_.Tensor(name).narrow(0, image, 1));
    }
  }

  at::Tensor Latents() const {
    std::vector<at::Tensor> latents;
    for (const Run& run : runs_) latents.push_back(run.sampler->latent());
    return at::cat(latents);
  }

  const Golden& golden_;
  const json& call_;
  const DiffusionModel& model_;
  Report& report_;
  const std::vector<std::string> prompts_;
  const std::vector<std::string> negatives_;
  const Guidance guidance_;
  std::vector<at::Tensor> contexts_;  // one a prompt
  ContextGatherer gatherer_;
  TextCache texts_{/*max_bytes=*/1 << 20};
  std::vector<Run> runs_;
};

}  // namespace

void RunPipelineCase(const Golden& golden, ModelCache& models, Report& report) {
  const std::string reason = UnsupportedReason(golden.manifest);
  if (!reason.empty()) return report.Unsupported(reason);
  const auto model = models.Get(golden.manifest["model"]);
  if (absl::IsUnimplemented(model.status())) {
    return report.Unsupported(std::string(model.status().message()));
  }
  if (!model.ok()) return report.Fail(std::string(model.status().message()));
  PipelineCase test(golden, **model, report);
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
