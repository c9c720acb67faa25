#include <algorithm>
#include <cmath>
#include <deque>
#include <filesystem>
#include <functional>
#include <set>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/full.h"
#include "ATen/ops/zeros_like.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/parity/cases.h"
#include "tests/parity/reference_calls.h"
#include "worker/denoiser/joint_transformer.h"
#include "worker/engine/evaluate.h"
#include "worker/text/clip_tokenizer.h"
#include "worker/text/t5_tokenizer.h"

namespace genzo::parity {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::set<std::string>& KnownPipelines() {
  static const auto* const known =
      new std::set<std::string>{"StableDiffusion3Pipeline",
                                "StableDiffusion3Img2ImgPipeline",
                                "StableDiffusion3InpaintPipeline",
                                "StableDiffusion3PAGPipeline",
                                "StableDiffusion3PAGImg2ImgPipeline",
                                "FluxPipeline",
                                "FluxImg2ImgPipeline",
                                "FluxInpaintPipeline",
                                "FluxFillPipeline",
                                "FluxControlNetPipeline",
                                "FluxControlNetImg2ImgPipeline",
                                "FluxControlNetInpaintPipeline",
                                "DiTPipeline"};
  return *known;
}

// The case while it runs: one Run for each image, built as the engine does.
class TransformerCase {
 public:
  TransformerCase(const Golden& golden, const std::string& folder,
                  const Pipeline& model, AdapterUses adapters,
                  std::vector<ControlHint> controls, Report& report)
      : golden_(golden),
        reference_(golden.manifest),
        call_(reference_.arguments()),
        folder_(folder),
        model_(model),
        adapters_(std::move(adapters)),
        family_(model.traits().family),
        controls_(std::move(controls)),
        report_(report) {
    const size_t prompts = reference_.prompts();
    const size_t each = call_.value("num_images_per_prompt", 1);
    for (size_t i = 0; i < prompts * each; ++i) {
      requests_.push_back(RequestOf(i / each, prompts));
    }
    if (!call_.contains("class_labels")) return;
    requests_.clear();
    for (const json& label : call_["class_labels"]) {
      requests_.push_back(RequestOf(/*prompt=*/0, prompts));
      requests_.back().set_class_label(label.get<int>());
    }
  }

  // Those that the recorded case has, whichever encoder they are for.
  void CompareIds() {
    for (const char* encoder : {"", "_2", "_3"}) {
      for (const char* sign : {"", ".negative"}) {
        const std::string name =
            absl::StrCat("token_ids.text_encoder", encoder, sign);
        if (!golden_.Has(name)) continue;
        const at::Tensor all = golden_.Tensor(name);
        const auto texts = TextsOf(encoder, *sign != '\0');
        for (size_t i = 0; i < texts.size(); ++i) {
          const at::Tensor expected = all[static_cast<int64_t>(i)].contiguous();
          const auto ids = IdsOf(absl::StrCat("tokenizer", encoder), texts[i],
                                 expected.numel());
          const bool same = std::equal(
              ids.begin(), ids.end(), expected.const_data_ptr<int64_t>(),
              expected.const_data_ptr<int64_t>() + expected.numel());
          report_.Compare("ids", same ? 0 : 1, 0);
        }
      }
    }
  }

  // One call of the denoiser with the recorded input, which is float32.
  absl::Status CompareDenoiser() {
    if (report_.precision() == Precision::kHalf) return absl::OkStatus();
    // What these add, or leave out of a row, is not in its input.
    if (!controls_.empty() || ByBlock(adapters_)) return absl::OkStatus();
    if (requests_[0].guidance().perturbed_attention_scale() > 0) {
      return absl::OkStatus();
    }
    const at::Tensor sample = Spatial(golden_.Tensor("net0.in.hidden_states"));
    Conditioning conditioning;
    if (golden_.Has("net0.in.class_labels")) {
      conditioning.numbers =
          golden_.Tensor("net0.in.class_labels").to(at::kFloat).unsqueeze(1);
    } else {
      conditioning = RecordedConditioning(
          sample.size(0), static_cast<int64_t>(requests_.size()));
    }
    conditioning.adapters = DenoiserAdapters(adapters_);
    const auto prepared = model_.denoiser().Prepare(conditioning);
    if (!prepared.ok()) return prepared.status();
    // FLUX is told shares of the trained timesteps.
    const double unit = family_ == "flux" ? 1000 : 1;
    std::vector<float> times(
        sample.size(0),
        static_cast<float>(
            golden_.Tensor("net0.in.timestep")[0].item<double>() * unit));
    const at::Tensor out = Spatial(golden_.Tensor("net0.out"));
    report_.CompareTensors(
        "net", Predict(model_.denoiser(), sample, times, **prepared),
        out.narrow(1, 0, std::min(out.size(1), sample.size(1))));
    return absl::OkStatus();
  }

  absl::Status CreateRuns() {
    const auto encoded = Encode();
    for (const auto& one : encoded) {
      if (!one.ok()) return one.status();
    }
    if (golden_.Has("prompt_embeds") &&
        report_.precision() == Precision::kFloat32) {
      // Of the first image.
      const PreparedRef own = encoded[0]->prepared[0];
      Conditioning recorded = RecordedConditioning(own->rows, /*images=*/1);
      recorded.adapters = DenoiserAdapters(adapters_);
      const auto expected = model_.denoiser().Prepare(recorded);
      if (!expected.ok()) return expected.status();
      report_.CompareTensors("tokens", own->tensors[0],
                             (*expected)->tensors[0]);
      report_.CompareTensors("pooled", own->tensors[1],
                             (*expected)->tensors[1]);
    }
    for (size_t i = 0; i < requests_.size(); ++i) {
      const auto run = MakeRun(i, *encoded[i]);
      if (!run.ok()) return run;
    }
    return absl::OkStatus();
  }

  // All runs together, as the engine batches them.
  void CompareSteps() {
    std::vector<Run*> runs;
    for (Run& run : runs_) runs.push_back(&run);
    report_.CompareTensors("start", Latents(), Recorded("initial_latents"));
    const at::Tensor outputs = golden_.Tensor("step_model_output");
    const at::Tensor expected = golden_.Tensor(
        golden_.Has("step_out_blended") ? "step_out_blended" : "step_out");
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
      report_.CompareTensors("guided", at::cat(*predictions),
                             Images(outputs[step]));
      for (size_t i = 0; i < runs.size(); ++i) {
        const absl::Status taken = runs[i]->Take((*predictions)[i]);
        if (!taken.ok()) return report_.Fail(std::string(taken.message()));
      }
      report_.CompareTensors("latents", Latents(), Images(expected[step]));
    }
  }

  void CompareImages() {
    at::Tensor latents = Latents();
    // This one forgets to add the autoencoder's shift. What Scale() makes of
    // zeros is that shift, taken off.
    if (golden_.manifest["pipeline"] == "StableDiffusion3InpaintPipeline") {
      latents = latents + model_.codec().Scale(at::zeros_like(latents));
    }
    const at::Tensor decoded = model_.codec().Decode(latents);
    report_.CompareTensors("decoded", decoded, golden_.Tensor("decoded"));
    ComparePainted(golden_, decoded, report_);
  }

 private:
  v1::GenerateRequest RequestOf(size_t prompt, size_t prompts) const {
    v1::GenerateRequest request;
    const auto text = [&](const char* name) {
      return reference_.Texts(name, prompts)[prompt];
    };
    request.set_prompt(text("prompt"));
    request.set_prompt_2(text("prompt_2"));
    request.set_prompt_3(text("prompt_3"));
    request.set_negative_prompt(text("negative_prompt"));
    request.set_negative_prompt_2(text("negative_prompt_2"));
    request.set_negative_prompt_3(text("negative_prompt_3"));
    request.set_sampler(model_.traits().defaults.sampler);
    reference_.Fill(golden_.Has("input_image"), request);
    reference_.FillPerturbed(model_.denoiser(), request);
    return request;
  }

  // The texts that an encoder reads.
  std::vector<std::string> TextsOf(const std::string& encoder,
                                   bool negative) const {
    const std::string name = negative ? "negative_prompt" : "prompt";
    const size_t prompts = reference_.prompts();
    std::vector<std::string> texts = reference_.Texts(name, prompts);
    // FLUX's second reads prompt_2, SD3's third prompt_3: by their numbers.
    const auto own = reference_.Texts(name + encoder, prompts);
    for (size_t i = 0; i < prompts; ++i) {
      if (!own[i].empty()) texts[i] = own[i];
    }
    return texts;
  }

  std::vector<int64_t> IdsOf(const std::string& tokenizer,
                             const std::string& text, int64_t length) const {
    const std::string folder = (fs::path(folder_) / tokenizer).string();
    const auto clip = ClipTokenizer::Read(folder);
    if (clip.ok()) return clip->EncodePadded(text);
    const auto t5 = T5Tokenizer::Read(folder);
    return t5.ok() ? t5->EncodePadded(text, length) : std::vector<int64_t>();
  }

  // What the reference's encoders gave for the first `images`, in `rows` rows:
  // where there are two an image, the negative ones first.
  Conditioning RecordedConditioning(int64_t rows, int64_t images) const {
    const auto both = [&](const std::string& name) {
      const at::Tensor positive = golden_.Tensor(name).narrow(0, 0, images);
      return rows == images
                 ? positive
                 : at::cat(
                       {golden_.Tensor("negative_" + name).narrow(0, 0, images),
                        positive});
    };
    Conditioning conditioning = {.tokens = both("prompt_embeds"),
                                 .pooled = both("pooled_prompt_embeds")};
    if (golden_.Has("net0.in.guidance")) {
      conditioning.numbers = golden_.Tensor("net0.in.guidance")
                                 .narrow(0, 0, 1)
                                 .unsqueeze(1)
                                 .expand({rows, 1});
    }
    return conditioning;
  }

  std::vector<absl::StatusOr<Encoded>> Encode() {
    std::vector<EncodeTask> tasks;
    for (const v1::GenerateRequest& request : requests_) {
      const absl::Status set =
          SetPictures(golden_, model_.traits(),
                      tasks.emplace_back(EncodeTask{.request = request,
                                                    .adapters = adapters_,
                                                    .controls = controls_}));
      if (!set.ok()) return {requests_.size(), set};
    }
    TextCache texts(/*max_bytes=*/1 << 20);
    auto encoded = model_.Encode(tasks, /*together=*/true, texts);
    if (encoded[0].ok()) ComparePictures(golden_, *encoded[0], report_);
    return encoded;
  }

  absl::Status MakeRun(size_t image, const Encoded& encoded) {
    std::vector<at::Tensor> draws;
    for (int draw = 0;; ++draw) {
      const std::string name = absl::StrFormat("noise.%03d", draw);
      if (!golden_.Has(name)) break;
      draws.push_back(DrawOf(golden_, name, static_cast<int64_t>(image)));
    }
    auto stages = model_.Plan({.request = requests_[image],
                               .noise = std::make_shared<RecordedNoise>(draws)},
                              encoded);
    if (!stages.ok()) return stages.status();
    runs_.emplace_back(*std::move(stages));
    return absl::OkStatus();
  }

  // FLUX's packed latents as the walk has them; others as they are.
  at::Tensor Spatial(const at::Tensor& recorded) const {
    if (recorded.dim() != 3) return recorded;
    return Unpatchify(recorded,
                      {golden_.manifest["height"].get<int64_t>() / 16,
                       golden_.manifest["width"].get<int64_t>() / 16},
                      /*patch=*/2, /*channels_last=*/false);
  }
  // DiT's pipeline walks each image twice, once for each row.
  at::Tensor Images(const at::Tensor& recorded) const {
    return Spatial(
        recorded.narrow(0, 0, static_cast<int64_t>(requests_.size())));
  }
  at::Tensor Recorded(const std::string& name) const {
    return Images(golden_.Tensor(name));
  }

  at::Tensor Latents() const {
    std::vector<at::Tensor> latents;
    for (const Run& run : runs_) latents.push_back(run.latent());
    return at::cat(latents);
  }

  const Golden& golden_;
  const ReferenceCall reference_;
  const json& call_;
  const std::string folder_;
  const Pipeline& model_;
  const AdapterUses adapters_;
  const std::string family_;
  const std::vector<ControlHint> controls_;
  Report& report_;
  std::deque<v1::GenerateRequest> requests_;  // one an image
  PreparedJoiner joiner_;
  std::vector<Run> runs_;
};

}  // namespace

bool IsTransformerPipeline(const std::string& pipeline) {
  return KnownPipelines().count(pipeline) > 0;
}

void RunTransformerCase(const Golden& golden, ModelCache& models,
                        Report& report) {
  const std::string reason = ReferenceCall(golden.manifest).Unsupported();
  if (!reason.empty()) return report.Unsupported(reason);
  const auto folder = models.FolderFor(golden.manifest);
  const auto model = models.GetFor(golden.manifest);
  if (!model.ok()) return report.End(model.status());
  if (golden.manifest.value("components", json::object())
          .contains("ip_adapter")) {
    return report.Unsupported("component ip_adapter");
  }
  auto controls = models.ControlsFor(golden);
  if (!controls.ok()) return report.End(controls.status());
  auto adapters = AdaptersFor(golden.manifest, models, **model);
  if (!adapters.ok()) return report.End(adapters.status());
  TransformerCase test(golden, *folder, **model, *std::move(adapters),
                       *std::move(controls), report);
  test.CompareIds();
  absl::Status created = test.CompareDenoiser();
  if (created.ok()) created = test.CreateRuns();
  if (!created.ok()) return report.End(created);
  test.CompareSteps();
  test.CompareImages();
}

}  // namespace genzo::parity
