#ifndef GENZO_BASE_MODEL_FILES_H_
#define GENZO_BASE_MODEL_FILES_H_

#include <map>
#include <string>
#include <utility>

namespace genzo {

// Where a model lies. A value.
struct ModelFiles {
  ModelFiles() = default;
  // Implicit: most models are one folder or one file.
  ModelFiles(std::string where) : path(std::move(where)) {}
  ModelFiles(const char* where) : path(where) {}

  // A folder in the diffusers layout, or one safetensors file.
  std::string path;
  // A folder in the diffusers layout that has what a single file cannot say or
  // lacks: configurations, vocabularies, whole components. Empty: none. What it
  // lacks, too, comes from the folder of the file's family beside the file.
  std::string config = {};
  // Files or folders of single components, "vae" -> "ae.safetensors". They
  // count before those of `path`.
  std::map<std::string, std::string> parts = {};
  // What was seen of them, if somebody looked: with another one they are other
  // files, though the paths are the same.
  std::string stamp = {};

  bool operator==(const ModelFiles&) const = default;
};

}  // namespace genzo

#endif  // GENZO_BASE_MODEL_FILES_H_
