#ifndef GENZO_TESTS_PARITY_CASES_H_
#define GENZO_TESTS_PARITY_CASES_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/parity/golden.h"
#include "worker/pipeline/stable_diffusion.h"

namespace genzo::parity {

// Models of a reference folder, each loaded once.
class ModelCache {
 public:
  explicit ModelCache(std::string reference_folder)
      : reference_folder_(std::move(reference_folder)) {}

  // `relative` as in manifests, "models/sd1". UNIMPLEMENTED for a pipeline of
  // another family than Stable Diffusion.
  absl::StatusOr<const StableDiffusion*> Get(const std::string& relative);
  std::string Path(const std::string& relative) const;

 private:
  const std::string reference_folder_;
  std::map<std::string, absl::StatusOr<std::unique_ptr<const Pipeline>>>
      models_;
};

// A call of a reference pipeline, from its recorded noise.
void RunPipelineCase(const Golden& golden, ModelCache& models, Report& report);

// Whether RunTransformerCase() is for the calls of that pipeline: SD3, FLUX,
// DiT.
bool IsTransformerPipeline(const std::string& pipeline);
// A call of one of them, from its recorded noise.
void RunTransformerCase(const Golden& golden, const ModelCache& models,
                        Report& report);

// A picture carried up to noise by DDIM inversion.
void RunInversionCase(const Golden& golden, ModelCache& models, Report& report);

// Encoding and decoding a picture.
void RunVaeCase(const Golden& golden, ModelCache& models, Report& report);

// One report for each case of goldens/schedulers/CLASS.
std::vector<Report> RunSchedulerCases(const Golden& golden);

// Betas and their products.
Report RunBetaTables(const Golden& golden);

// One report for each tokenizer of goldens/tokenizers.json.
std::vector<Report> RunTokenizerCases(const nlohmann::json& manifest,
                                      const ModelCache& models);

}  // namespace genzo::parity

#endif  // GENZO_TESTS_PARITY_CASES_H_
