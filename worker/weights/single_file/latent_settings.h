#ifndef GENZO_WORKER_WEIGHTS_SINGLE_FILE_LATENT_SETTINGS_H_
#define GENZO_WORKER_WEIGHTS_SINGLE_FILE_LATENT_SETTINGS_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "nlohmann/json.hpp"
#include "worker/weights/tensor_source.h"

// What the config.json of an autoencoder says that no tensor shows: of the size
// of latents, of groups of norms, of float16's range. A single file that is not
// as its family has it in its metadata. Nobody else's files do; other readers
// take the family's.

namespace genzo {

// Adds to a single file's `metadata` what `config` says otherwise than
// `derived`, which a reader would take: the family's, with what tensors show.
// Nothing if they agree.
void AddLatentSettings(const nlohmann::json& config,
                       const nlohmann::json& derived,
                       std::map<std::string, std::string>& metadata);

// Puts what the metadata of `file` says of it into `config`. INVALID_ARGUMENT
// names file and key.
absl::Status ReadLatentSettings(const TensorSource& file,
                                nlohmann::json& config);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_SINGLE_FILE_LATENT_SETTINGS_H_
