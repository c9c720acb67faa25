#ifndef GENZO_WORKER_WEIGHTS_SINGLE_FILE_SINGLE_FILE_H_
#define GENZO_WORKER_WEIGHTS_SINGLE_FILE_SINGLE_FILE_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/weights/tensor_source.h"

namespace genzo {

// A component that a file of tensors holds.
struct SingleFilePart {
  std::string component;   // "text_encoder_2"
  std::string class_name;  // "CLIPTextModelWithProjection"
  std::string prefix;      // of its tensors in the file; may be empty
  std::set<std::string> names_in_file;          // of all that it is made of
  std::shared_ptr<const TensorSource> tensors;  // under diffusers' names
  nlohmann::json config;                        // what config.json would say
};

// A checkpoint as its authors publish it: one file, the names of their code.
struct SingleFile {
  std::string family;          // of families/: "sdxl"
  std::string pipeline_class;  // "StableDiffusionXLPipeline"
  nlohmann::json document;     // the family's, to tell what else there may be
  std::vector<SingleFilePart> parts;
  nlohmann::json scheduler;  // what scheduler_config.json would say
  // Families' components that the file does not hold and the program does not
  // have: "vae", "text_encoder_3".
  std::vector<std::string> missing;
};

// Configurations by component, "scheduler" among them.
using ComponentConfigs = std::map<std::string, nlohmann::json>;

// Tells by names and shapes what `source` is. Float8 tensors that have scales
// get their true values. What these and the metadata do not show is as
// `published` says, objects that need be sound no more than the file is; where
// they say nothing, as the family's best known model has it. With a "scheduler"
// of epsilon for a file whose metadata say v, that scheduler with v.
// INVALID_ARGUMENT or UNIMPLEMENTED name the file and what it holds instead: a
// single component, nothing that is known.
absl::StatusOr<SingleFile> ReadSingleFile(
    std::shared_ptr<const TensorSource> source,
    const ComponentConfigs& published = {});

// Names of tensors in the file that nothing is made of: averages, a trainer's
// tables.
std::vector<std::string> SurplusOf(const SingleFile& file,
                                   const TensorSource& source);

// One component of a file that may hold nothing else, for a family's
// `component`: an autoencoder, a text encoder, in original names or in
// diffusers'. INVALID_ARGUMENT names the file if it holds none of that class.
absl::StatusOr<SingleFilePart> ReadSingleFilePart(
    std::shared_ptr<const TensorSource> source, const std::string& component,
    const std::string& class_name, const nlohmann::json& published);

// The reference's pipeline of networks that see how deep a picture is, and the
// class of its component "depth_estimator", which no single file holds.
inline constexpr char kDepthPipeline[] = "StableDiffusionDepth2ImgPipeline";
inline constexpr char kDepthClass[] = "DPTForDepthEstimation";

// Whether a component is small settings of a walk: "low_res_scheduler".
bool IsScheduler(const std::string& component);

// The family of a folder by its pipeline and by the tensors of its denoiser:
// "sd2". Empty: it has none.
std::string FamilyOfFolder(const std::string& pipeline_class,
                           const std::map<std::string, TensorEntry>& denoiser);

// The tensors of a component under the names that it has in a single file of
// `family`, prefix and all. UNIMPLEMENTED for a class that has none.
absl::StatusOr<std::shared_ptr<const TensorSource>> ToOriginalNames(
    const std::shared_ptr<const TensorSource>& source,
    const std::string& family, const std::string& component,
    const std::string& class_name);

// A file of weights by its path: safetensors, with scales applied. Pickles are
// refused with a word about genzo-tool convert.
absl::StatusOr<std::shared_ptr<const TensorSource>> OpenTensorFile(
    const std::string& path);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_SINGLE_FILE_SINGLE_FILE_H_
