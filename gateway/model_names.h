#ifndef GENZO_GATEWAY_MODEL_NAMES_H_
#define GENZO_GATEWAY_MODEL_NAMES_H_

#include <map>
#include <string>

namespace genzo {

// Names of models that clients have built in, and the models that are meant.
// Const, so thread-safe.
class ModelNames {
 public:
  explicit ModelNames(std::map<std::string, std::string> aliases)
      : aliases_(std::move(aliases)) {}

  // The model that `name` means; the name itself if it is no alias.
  std::string Resolve(const std::string& name) const {
    const auto found = aliases_.find(name);
    return found == aliases_.end() ? name : found->second;
  }
  const std::map<std::string, std::string>& aliases() const { return aliases_; }

 private:
  const std::map<std::string, std::string> aliases_;
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_MODEL_NAMES_H_
