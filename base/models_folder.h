#ifndef GENZO_BASE_MODELS_FOLDER_H_
#define GENZO_BASE_MODELS_FOLDER_H_

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/config.h"

namespace genzo {

// A file's name as an id: in lower case, with "-" for what an id cannot have.
// Empty if nothing of the name can be in an id.
std::string IdOfName(const std::string& name);

// What lies in a folder of models and the folders in it: each *.safetensors
// file and each folder with a model_index.json is one. Its id is its name in
// lower case, with "-" for what an id cannot have, cut to 63 bytes: "Juggernaut
// XL v9.safetensors" is "juggernaut-xl-v9". Where another has that id, or
// nothing is left of the name, some digits follow: "juggernaut-xl-v9-3fa9c1". A
// folder NAME.config beside NAME.safetensors is its config:. So is each *.ckpt,
// which no reader takes, so that somebody says so.
//
// Remembers what it has found, so that a look tells of what is new or gone
// alone: also where size or time of any of a model's files has changed, as they
// have of what was being copied when it was seen first, and stood still for a
// look; the *.config folders' count as each single file's own. Not thread-safe.
class ModelsFolder {
 public:
  // `taken` are ids that the configuration uses for others.
  ModelsFolder(std::string path, const std::vector<ModelConfig>& taken);

  struct Found {
    std::vector<ModelConfig> fresh;  // new or changed, by name
    std::vector<std::string> gone;   // ids
  };
  // What cannot be read is left out, and a folder that cannot be read tells
  // nothing.
  Found Look();

 private:
  // Forgets what is not in `found`. Returns the ids.
  std::vector<std::string> Forget(const std::set<std::string>& found);

  // Of what has none yet.
  std::string IdOf(const std::filesystem::path& path) const;

  const std::string path_;
  std::set<std::string> taken_;
  std::map<std::string, std::string> path_of_;   // by id
  std::map<std::string, std::string> id_of_;     // by path
  std::map<std::string, std::string> stamp_of_;  // by path
  std::map<std::string, std::string> changing_;  // stamps, by path
};

}  // namespace genzo

#endif  // GENZO_BASE_MODELS_FOLDER_H_
