#ifndef GENZO_WORKER_WEIGHTS_SINGLE_FILE_FILE_FAMILY_H_
#define GENZO_WORKER_WEIGHTS_SINGLE_FILE_FILE_FAMILY_H_

#include <cstdint>
#include <string>

#include "nlohmann/json.hpp"
#include "worker/weights/single_file/name_rules.h"
#include "worker/weights/single_file/single_file.h"

// Of which family a file is, and what follows from that.

namespace genzo {

// The family of a denoiser in original names. Empty if it is none of ours.
std::string FamilyOf(const std::string& class_name, const Entries& denoiser);

// The family's document with what `published` says. Of a network's keys those
// that it lacks, or has as null, are the document's; a scheduler's are of its
// class and go together.
nlohmann::json DocumentOf(const std::string& family,
                          const ComponentConfigs& published);

// The class of the pipeline: relatives have more channels coming in.
std::string PipelineClass(const std::string& family,
                          const nlohmann::json& document,
                          const nlohmann::json& denoiser);

// What trainers write beside the weights, and the empty tensors that mark
// models of velocities. Without, it is the family's; of SD2 those that are
// given a picture were trained on noise.
void ReadPrediction(const TensorSource& source, const SingleFile& file,
                    nlohmann::json& scheduler);
// Whether it is such an empty tensor.
bool IsMark(const std::string& name);

// A whole number, or `otherwise`: folders may say anything.
int64_t IntegerAt(const nlohmann::json& config, const char* key,
                  int64_t otherwise = 0);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_SINGLE_FILE_FILE_FAMILY_H_
