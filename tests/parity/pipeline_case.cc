#include <deque>
#include <set>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/chunk.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/parity/cases.h"
#include "worker/engine/evaluate.h"
#include "worker/media/pixel_tensors.h"

namespace genzo::parity {
namespace {

using nlohmann::json;

const std::set<std::string>& KnownArguments() {
  static const auto* const known = new std::set<std::string>{
      "prompt",         "negative_prompt",       "height",  "width",
      "guidance_scale", "num_inference_steps",   "eta",     "guidance_rescale",
      "clip_skip",      "num_images_per_prompt", "strength"};
  return *known;
}

// Why the case is not supported; empty if it is.
std::string UnsupportedReason(const json& manifest) {
  const std::string pipeline = manifest["pipeline"];
  if (pipeline != "StableDiffusionPipeline" &&
      pipeline != "StableDiffusionImg2ImgPipeline") {
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

// [H, W, 3] uint8 -> [1, 3, H, W] in [-1, 1], as the reference prepares it.
at::Tensor PictureOf(const at::Tensor& hwc) {
  return hwc.permute({2, 0, 1}).unsqueeze(0).to(at::kFloat) / 255 * 2 - 1;
}

// The case while it runs: one Run for each image, built as the engine does.
class PipelineCase {
 public:
  PipelineCase(const Golden& golden, const StableDiffusion& model,
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
        guided_(call_.value("guidance_scale", 7.5) > 1) {}

  void CompareTexts() {
    CompareIds("token_ids.text_encoder", prompts_);
    if (guided_) CompareIds("token_ids.text_encoder.negative", negatives_);
    const auto clip_skip = call_.value("clip_skip", int64_t{0});
    report_.CompareTensors("embeds", model_.EncodeTexts(prompts_, clip_skip),
                           PerPrompt("prompt_embeds"));
    if (!guided_) return;
    report_.CompareTensors("embeds",
                           model_.EncodeTexts(negatives_, /*clip_skip=*/0),
                           PerPrompt("negative_prompt_embeds"));
  }

  // One call of the denoiser with the recorded input.
  absl::Status CompareDenoiser() {
    const at::Tensor sample = golden_.Tensor("net0.in.sample");
    const auto timestep =
        golden_.Tensor("net0.in.timestep").to(at::kFloat).item<float>();
    const at::Tensor tokens =
        golden_.Has("negative_prompt_embeds")
            ? at::cat({golden_.Tensor("negative_prompt_embeds"),
                       golden_.Tensor("prompt_embeds")})
            : golden_.Tensor("prompt_embeds");
    const auto prepared = model_.denoiser().Prepare({.tokens = tokens});
    if (!prepared.ok()) return prepared.status();
    report_.CompareTensors(
        "unet",
        Predict(model_.denoiser(), sample,
                std::vector<float>(sample.size(0), timestep), **prepared),
        golden_.Tensor("net0.out"));
    return absl::OkStatus();
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
          model_.PlanBy(scheduler,
                        {.request = requests_[prompt],
                         .noise = std::make_shared<RecordedNoise>(Noise(i))},
                        *encoded[prompt]);
      if (!stages.ok()) return stages.status();
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
    const at::Tensor expected = golden_.Tensor("step_out");
    const int64_t evaluations = expected.size(0);
    // A walk from a picture has the last of the timesteps.
    const at::Tensor all = golden_.Tensor("timesteps");
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
    const at::Tensor decoded = model_.codec().Decode(Latents());
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
  std::vector<absl::StatusOr<Encoded>> Encode() {
    at::Tensor picture;
    if (golden_.Has("input_image")) {
      picture = PictureOf(golden_.Tensor("input_image"));
    }
    for (size_t i = 0; i < prompts_.size(); ++i) {
      v1::GenerateRequest& request = requests_.emplace_back();
      request.set_prompt(prompts_[i]);
      request.set_negative_prompt(negatives_[i]);
      request.set_width(golden_.manifest["width"].get<int>());
      request.set_height(golden_.manifest["height"].get<int>());
      request.set_steps(call_["num_inference_steps"].get<int>());
      request.set_guidance_scale(call_.value("guidance_scale", 7.5));
      request.set_guidance_rescale(call_.value("guidance_rescale", 0.0));
      request.set_eta(call_.value("eta", 0.0));
      request.set_clip_skip(call_.value("clip_skip", 0));
      if (picture.defined()) {
        request.mutable_image_to_image()->set_strength(
            call_.value("strength", 0.8));
      }
    }
    std::vector<EncodeTask> tasks;
    for (const v1::GenerateRequest& request : requests_) {
      tasks.push_back({.request = request, .picture = picture});
    }
    TextCache texts(/*max_bytes=*/1 << 20);
    auto encoded = model_.Encode(tasks, /*together=*/true, texts);
    if (picture.defined() && encoded[0].ok()) {
      report_.CompareTensors(
          "mean", encoded[0]->picture.mean,
          golden_.Tensor("vae_encode.0.moments").chunk(2, 1)[0]);
    }
    return encoded;
  }

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

  // All that one image draws, in order.
  std::vector<at::Tensor> Noise(int64_t image) const {
    std::vector<at::Tensor> draws;
    for (int draw = 0;; ++draw) {
      const std::string name = absl::StrFormat("noise.%03d", draw);
      if (!golden_.Has(name)) return draws;
      draws.push_back(golden_.Tensor(name).narrow(0, image, 1));
    }
  }

  at::Tensor Latents() const {
    std::vector<at::Tensor> latents;
    for (const Run& run : runs_) latents.push_back(run.latent());
    return at::cat(latents);
  }

  const Golden& golden_;
  const json& call_;
  const StableDiffusion& model_;
  Report& report_;
  const std::vector<std::string> prompts_;
  const std::vector<std::string> negatives_;
  const bool guided_;
  std::deque<v1::GenerateRequest> requests_;  // one a prompt
  PreparedJoiner joiner_;
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
  absl::Status created = test.CompareDenoiser();
  if (created.ok()) created = test.CreateRuns();
  if (absl::IsUnimplemented(created)) {
    return report.Unsupported(std::string(created.message()));
  }
  if (!created.ok()) return report.Fail(std::string(created.message()));
  test.CompareSteps();
  test.CompareImages();
}

}  // namespace genzo::parity
