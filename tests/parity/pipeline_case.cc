#include <algorithm>
#include <cmath>
#include <deque>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/parity/cases.h"
#include "tests/parity/family.h"
#include "tests/parity/reference_calls.h"
#include "worker/engine/evaluate.h"
#include "worker/pipeline/prompt_rows.h"

namespace genzo::parity {
namespace {

using nlohmann::json;

// What a call asks for of this model that no request can say; empty: nothing.
std::string UnfitReason(const ReferenceCall& call, const Family& family) {
  // One that is not a refiner would end there.
  if (family.is_refiner() ? call.Has("denoising_end")
                          : call.Has("denoising_start")) {
    return absl::StrCat("argument denoising_",
                        family.is_refiner() ? "end" : "start",
                        " of this model");
  }
  if (!family.zeroes_empty_negative() || call.guidance_scale() <= 1) return "";
  // The reference encodes a text that is given and empty.
  const bool given = call.Has("negative_prompt");
  const std::vector<std::string> texts =
      call.Texts("negative_prompt", call.prompts());
  const bool empty = std::count(texts.begin(), texts.end(), "") > 0;
  if (given ? empty && !call.Has("negative_prompt_2")
            : call.Has("negative_prompt_2")) {
    return "an empty argument negative_prompt that is encoded";
  }
  return "";
}

// The case while it runs: one Run for each image, built as the engine does.
class PipelineCase {
 public:
  PipelineCase(const Golden& golden, const Family& family,
               std::vector<ControlHint> controls,
               std::vector<PictureInput> pictures, AdapterUses adapters,
               Report& report)
      : golden_(golden),
        reference_(golden.manifest),
        call_(reference_.arguments()),
        family_(family),
        model_(family.pipeline()),
        adapters_(std::move(adapters)),
        controls_(std::move(controls)),
        pictures_(std::move(pictures)),
        report_(report),
        prompts_(reference_.Texts("prompt", reference_.prompts())),
        negatives_(reference_.Texts("negative_prompt", prompts_.size())) {
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

  // Whether the reference cuts a text that no request can have cut; empty: it
  // does not. SDXL's pipeline of long prompts reads all.
  std::string CutReason() const {
    if (!reference_.Is("StableDiffusionLongPromptWeighting")) return "";
    const size_t most = call_.value("max_embeddings_multiples", size_t{3});
    for (const auto& [name, tokenizer] : family_.Tokenizers()) {
      const LearnedWords learned = family_.WordsOf(library_, name);
      for (const v1::GenerateRequest& request : requests_) {
        for (const std::string& text :
             {request.prompt(), request.negative_prompt()}) {
          const WindowRules rules = RulesOf(request, learned);
          if (ReadWindows(*tokenizer, text, rules).size() <= most) continue;
          return absl::StrCat("argument max_embeddings_multiples of ", most,
                              " and a longer text");
        }
      }
    }
    return "";
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
                 second && reference_.Has("prompt_2")
                     ? reference_.Texts("prompt_2", prompts_.size())
                     : prompts_);
      CompareIds(absl::StrCat("token_ids.", name, ".negative"), *tokenizer,
                 second && reference_.Has("negative_prompt_2")
                     ? reference_.Texts("negative_prompt_2", prompts_.size())
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
    // What these add, or leave out of a row, is not in its input.
    if (!controls_.empty() || !pictures_.empty() || ByBlock(adapters_)) return;
    if (requests_[0].guidance().perturbed_attention_scale() > 0) return;
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
    ComparePainted(golden_, decoded, report_);
  }

 private:
  bool HasPicture() const {
    // To T2I-Adapters it is a hint.
    return golden_.Has("input_image") && !call_.contains("denoising_start") &&
           !reference_.Is("Adapter");
  }

  void MakeRequests() {
    const auto texts = [&](const char* name) {
      return reference_.Texts(name, prompts_.size());
    };
    const auto prompts_2 = texts("prompt_2");
    const auto negatives_2 = texts("negative_prompt_2");
    for (size_t i = 0; i < prompts_.size(); ++i) {
      v1::GenerateRequest& request = requests_.emplace_back();
      request.set_prompt(prompts_[i]);
      request.set_negative_prompt(negatives_[i]);
      request.set_prompt_2(prompts_2[i]);
      request.set_negative_prompt_2(negatives_2[i]);
      reference_.Fill(HasPicture(), request);
      // The reference's pipelines tell every sampler that takes it.
      request.set_eta(reference_.Number("eta", 0));
      if (reference_.Is("LongPromptWeighting") ||
          golden_.manifest.contains("textual_inversion")) {
        request.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
      }
      reference_.FillPerturbed(model_.denoiser(), request);
      SetModelFields(request);
    }
  }

  void SetModelFields(v1::GenerateRequest& request) const {
    reference_.FillSizes(family_.is_refiner(), request);
    const auto found = call_.find("image_guidance_scale");
    if (found != call_.end()) request.set_image_guidance_scale(*found);
    const auto noised = call_.find("noise_level");
    if (noised != call_.end()) request.set_noise_level(*noised);
    for (const char* end : {"denoising_end", "denoising_start"}) {
      if (!call_.contains(end)) continue;
      request.mutable_refiner()->set_switch_at(call_[end]);
    }
    if (call_.contains("aesthetic_score")) {
      request.mutable_refiner()->set_aesthetic_score(call_["aesthetic_score"]);
    }
    if (call_.contains("negative_aesthetic_score")) {
      request.mutable_refiner()->set_negative_aesthetic_score(
          call_["negative_aesthetic_score"]);
    }
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
      const absl::Status set = SetPictures(golden_, model_.traits(), task);
      if (!set.ok()) return {requests_.size(), set};
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
  const ReferenceCall reference_;
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
  const ReferenceCall call(golden.manifest);
  std::string reason = call.Unsupported();
  if (!reason.empty()) return report.Unsupported(reason);
  const auto model = models.GetFor(golden.manifest);
  if (!model.ok()) return report.End(model.status());
  const auto family = FamilyOf(**model);
  if (family == nullptr) return report.Unsupported("another family");
  reason = UnfitReason(call, *family);
  if (!reason.empty()) return report.Unsupported(reason);
  auto controls = models.ControlsFor(golden);
  if (!controls.ok()) return report.End(controls.status());
  auto pictures = models.PicturesFor(golden);
  if (!pictures.ok()) return report.End(pictures.status());
  auto adapters = AdaptersFor(golden.manifest, models, **model);
  if (!adapters.ok()) return report.End(adapters.status());
  PipelineCase test(golden, *family, *std::move(controls), *std::move(pictures),
                    *std::move(adapters), report);
  const absl::Status embedded = test.LoadEmbeddings(models);
  if (!embedded.ok()) return report.Fail(std::string(embedded.message()));
  reason = test.CutReason();
  if (!reason.empty()) return report.Unsupported(reason);
  test.CompareTexts();
  test.CompareDenoiser();
  const absl::Status created = test.CreateRuns();
  if (!created.ok()) return report.End(created);
  test.CompareSteps();
  test.CompareImages();
}

}  // namespace genzo::parity
