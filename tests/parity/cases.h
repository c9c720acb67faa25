#ifndef GENZO_TESTS_PARITY_CASES_H_
#define GENZO_TESTS_PARITY_CASES_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/parity/golden.h"
#include "worker/media/masked_canvas.h"
#include "worker/pipeline/stable_diffusion.h"
#include "worker/pipeline/stable_diffusion_unclip.h"
#include "worker/pipeline/stable_diffusion_upscale.h"
#include "worker/pipeline/stable_diffusion_xl.h"

namespace genzo::parity {

// Models of a reference folder, each loaded once.
class ModelCache {
 public:
  ModelCache(std::string reference_folder, const Placement& placement)
      : reference_folder_(std::move(reference_folder)), placement_(placement) {}

  // `relative` as in manifests, "models/sd1". UNIMPLEMENTED for a pipeline of
  // another family than Stable Diffusion.
  absl::StatusOr<const StableDiffusion*> Get(const std::string& relative);
  // The model of a pipeline case, as the class that the case calls, with the
  // components that it replaces.
  absl::StatusOr<const Pipeline*> GetFor(const nlohmann::json& manifest);
  // The folder that it is of.
  absl::StatusOr<std::string> FolderFor(const nlohmann::json& manifest);
  std::string Path(const std::string& relative) const;
  // What a case's control networks and T2I-Adapters follow: its pictures,
  // weights and range.
  absl::StatusOr<std::vector<ControlHint>> ControlsFor(const Golden& golden);
  // And the pictures that it reads as a prompt.
  absl::StatusOr<std::vector<PictureInput>> PicturesFor(const Golden& golden);

 private:
  // A folder of links, with an index of its own, in place of `relative`.
  absl::StatusOr<std::string> Assemble(const std::string& relative,
                                       const std::string& pipeline_class,
                                       const nlohmann::json& components);
  // The folder of a network beside the model, with all in it that we need.
  absl::StatusOr<std::string> ControlFolder(const nlohmann::json& manifest,
                                            const std::string& relative);
  absl::StatusOr<const Pipeline*> Load(const std::string& name,
                                       const std::string& folder);

  const std::string reference_folder_;
  const Placement placement_;
  std::map<std::string, absl::StatusOr<std::unique_ptr<const Pipeline>>>
      models_;
  std::map<std::string, std::shared_ptr<const ControlNetwork>> controls_;
  std::map<std::string, std::shared_ptr<const IpAdapter>> adapters_;
};

// The adapters of a pipeline case, none if it has none, for `pipeline`.
absl::StatusOr<AdapterUses> AdaptersFor(const nlohmann::json& manifest,
                                        const ModelCache& models,
                                        const Pipeline& pipeline);
// Whether one of them has weights by block.
bool ByBlock(const AdapterUses& uses);
// Those of them that its denoiser is to have; null: none. Not ByBlock().
std::shared_ptr<const AdapterSet> DenoiserAdapters(const AdapterUses& uses);

// What the recorded first call of a U-Net was conditioned on; rows as the
// reference has them.
Conditioning RecordedConditioning(const Golden& golden);

// One call of the denoiser with the recorded input.
void CompareFirstCall(const Golden& golden, const Denoiser& denoiser,
                      std::shared_ptr<const AdapterSet> adapters,
                      Report& report);

// The U-Net of a pipeline that is not offered: one for masks, say. The report's
// name is the case's with "/unet" behind it.
Report RunUNetCase(const Golden& golden, const ModelCache& models);

// Of uint8 [H, W, 3], or [H, W] of greys.
Pixels PixelsOf(const at::Tensor& picture);
// The part of a case's picture that alone is painted, with the pixels around it
// that padding_mask_crop asks for; nullopt: all is. Where it lies is ours to
// find.
absl::StatusOr<std::optional<MaskedCanvas>> CroppedCanvas(const Golden& golden);
// A picture at the size of the case divided by `divisor`, or what `canvas`
// shows of it, scaled as the reference does.
Pixels Fitted(const Golden& golden, const Pixels& picture,
              const std::optional<MaskedCanvas>& canvas, int64_t divisor = 1);
// The pictures that a case was given, as the reference prepares them.
// UNIMPLEMENTED for pictures that no request can bring.
absl::Status SetPictures(const Golden& golden, const PipelineTraits& traits,
                         EncodeTask& task);
// What came out, against image_uint8: where a part alone was painted, in the
// picture that it is of if the recorded image is of that.
void ComparePainted(const Golden& golden, const at::Tensor& decoded,
                    Report& report);
// What was made of them.
void ComparePictures(const Golden& golden, const Encoded& encoded,
                     Report& report);
// What one image drew; a draw that all of a case's images share is of one row.
at::Tensor DrawOf(const Golden& golden, const std::string& name, int64_t image);

// A call of a reference pipeline, from its recorded noise.
void RunPipelineCase(const Golden& golden, ModelCache& models, Report& report);

// Whether RunTransformerCase() is for the calls of that pipeline: SD3, FLUX,
// DiT.
bool IsTransformerPipeline(const std::string& pipeline);
// A call of one of them, from its recorded noise.
void RunTransformerCase(const Golden& golden, ModelCache& models,
                        Report& report);

// A picture carried up to noise by DDIM inversion.
void RunInversionCase(const Golden& golden, ModelCache& models, Report& report);

// Encoding and decoding a picture.
void RunVaeCase(const Golden& golden, ModelCache& models, Report& report);

// Likeness of pictures and texts, the aesthetic score, the safety checker.
void RunClipScoringCase(const Golden& golden, const ModelCache& models,
                        Report& report);
void RunAestheticCase(const Golden& golden, const ModelCache& models,
                      Report& report);
void RunSafetyCheckerCase(const Golden& golden, const ModelCache& models,
                          Report& report);

// A picture made larger, whole and in tiles.
void RunUpscalerCase(const Golden& golden, const ModelCache& models,
                     Report& report);

// One report for each case of goldens/schedulers/CLASS.
std::vector<Report> RunSchedulerCases(const Golden& golden);

// Betas and their products.
Report RunBetaTables(const Golden& golden);

// One report for each tokenizer of goldens/tokenizers.json.
std::vector<Report> RunTokenizerCases(const nlohmann::json& manifest,
                                      const ModelCache& models);

}  // namespace genzo::parity

#endif  // GENZO_TESTS_PARITY_CASES_H_
