#ifndef GENZO_WORKER_WEIGHTS_SINGLE_FILE_ORIGINAL_NAMES_H_
#define GENZO_WORKER_WEIGHTS_SINGLE_FILE_ORIGINAL_NAMES_H_

#include "worker/weights/single_file/name_rules.h"

namespace genzo {

// The tables of names of networks in the code that their authors published,
// without the prefixes that a file with several of them puts before each.
// `entries` are those of a network in either naming: the tables depend on its
// depths. What a table does with names and values is what diffusers'
// single_file_utils.py does.

// latent-diffusion's UNetModel, as SD1, SD2 and SDXL have it.
NameRules UNetNames(const Entries& entries);

// latent-diffusion's Autoencoder.
NameRules AutoencoderNames(const Entries& entries);

// open_clip's text transformer. `layers` of it are used, the others and what
// only scores pictures are left out; `projection` tells whether the last
// projection is used.
NameRules OpenClipNames(int64_t layers, bool projection);

// The MMDiT of SD3 and SD3.5.
NameRules Sd3Names(const Entries& entries);

// The transformer of FLUX.1.
NameRules FluxNames(const Entries& entries);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_SINGLE_FILE_ORIGINAL_NAMES_H_
