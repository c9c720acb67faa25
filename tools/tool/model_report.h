#ifndef GENZO_TOOLS_TOOL_MODEL_REPORT_H_
#define GENZO_TOOLS_TOOL_MODEL_REPORT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/model_files.h"
#include "nlohmann/json.hpp"

namespace genzo {

// What a model consists of, from headers and small files alone.
struct ModelReport {
  struct Part {
    std::string component;
    std::string class_name;
    int64_t tensors = 0;
    int64_t parameters = 0;
    std::map<std::string, int64_t> stored_bytes;  // by type: "float16"
    // What loading would miss: `tensor "conv_in.weight" is missing`.
    std::vector<std::string> faults;
    // Tensors that its network does not ask for.
    std::vector<std::string> surplus;
  };

  int64_t parameters() const;
  int64_t stored_bytes() const;
  nlohmann::json ToJson() const;
  // A line for each thing, fit for a terminal whatever the file says.
  std::string ToText() const;

  std::string path;
  std::string problem;         // why it cannot be served; empty: it can
  std::string family;          // "sdxl"; of a folder the class says it
  std::string pipeline_class;  // "StableDiffusionXLPipeline"
  std::string prediction;      // "epsilon", "v_prediction"; empty: by the class
  std::vector<Part> parts;
  std::vector<std::string> missing;  // components that it needs from elsewhere
  std::vector<std::string> surplus;  // of a file's tensors: those of no part
  std::map<std::string, std::string> metadata;
};

// Errors name file and what is wrong with it. A sound file that holds no model,
// or a single component of one, is reported with its problem, as one part
// without a name. What else the server would refuse the model for is its
// problem, too, unless it only needs parts from elsewhere.
absl::StatusOr<ModelReport> InspectModel(const ModelFiles& model);

}  // namespace genzo

#endif  // GENZO_TOOLS_TOOL_MODEL_REPORT_H_
