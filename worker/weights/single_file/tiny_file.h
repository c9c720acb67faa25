#ifndef GENZO_WORKER_WEIGHTS_SINGLE_FILE_TINY_FILE_H_
#define GENZO_WORKER_WEIGHTS_SINGLE_FILE_TINY_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "worker/weights/component_files.h"

namespace genzo {

// The decoder of a small autoencoder: a folder as diffusers writes it, or a
// file of tensors, taesd_decoder, taesdxl_decoder, taesd3_decoder or
// taef1_decoder, as their author publishes them (github.com/madebyollin/taesd),
// also behind "decoder." or "taesd_decoder.", or in diffusers' names. A file's
// config.json follows from names and shapes; an encoder beside it is left out.
// What comes back has the path that was given, which exists. INVALID_ARGUMENT
// names a file that holds none.
absl::StatusOr<ComponentFiles> OpenTinyDecoder(const std::string& path);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_SINGLE_FILE_TINY_FILE_H_
