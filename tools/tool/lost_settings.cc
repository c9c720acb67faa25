#include "tools/tool/lost_settings.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "tools/tool/one_file.h"
#include "worker/sampler/scheduler_class.h"
#include "worker/sampler/scheduler_config.h"
#include "worker/weights/json_config.h"
#include "worker/weights/single_file/single_file.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr char kClass[] = "_class_name";
constexpr char kPrediction[] = "prediction_type";

// Whether the metadata of a file say it; what is no prediction of those stays
// behind.
bool IsTold(const std::string& key, const json& own) {
  if (key == "rescale_betas_zero_snr") return true;
  if (key != kPrediction) return false;
  const json prediction = own.value(key, json());
  return prediction.is_null() || prediction == "epsilon" ||
         prediction == "v_prediction";
}

// `own` with the value that `read` has of the key, or without it.
json With(json own, const std::string& key, const json& read) {
  const auto found = read.find(key);
  if (found == read.end()) {
    own.erase(key);
  } else {
    own[key] = *found;
  }
  return own;
}

// Keys of a scheduler that `read` would make another walk of: a key that is
// but spelled out, or that the class does not know, is none.
std::set<std::string> LostKeys(const json& own, const std::string& class_name,
                               const json& read) {
  std::set<std::string> lost;
  const auto settings = ParseSchedulerConfig(own, class_name);
  if (!settings.ok()) return lost;
  if (PlainClassOf(class_name) !=
      PlainClassOf(JsonConfig(read, "").ClassName(""))) {
    lost.insert(kClass);
  }
  for (const json& keys : {own, read}) {
    for (const auto& item : keys.items()) {
      const std::string& key = item.key();
      if (key == kClass || IsTold(key, own)) continue;
      const auto changed =
          ParseSchedulerConfig(With(own, key, read), class_name);
      if (!changed.ok() || !(*changed == *settings)) lost.insert(key);
    }
  }
  return lost;
}

// Of the index, what the family has otherwise.
std::set<std::string> LostOfIndex(const json& own, const json& settings) {
  std::set<std::string> lost;
  for (const auto& [key, value] : settings.items()) {
    if (own.value(key, value) != value) lost.insert(key);
  }
  return lost;
}

}  // namespace

std::vector<std::string> LostSettings(const ModelIndex& index,
                                      const OneFile& file) {
  std::vector<std::string> all;
  const auto read = ReadSingleFile(file.tensors);
  if (!read.ok() || read->family != file.family) return all;
  const auto add = [&](const char* name, const std::set<std::string>& keys) {
    if (keys.empty()) return;
    all.push_back(absl::StrCat(name, " (", absl::StrJoin(keys, ", "), ")"));
  };
  const auto contents =
      JsonConfig::ReadFile(index.files.At("model_index.json"));
  if (contents.ok()) {
    add("model_index.json",
        LostOfIndex(contents->object(),
                    read->document.value("settings", json::object())));
  }
  auto scheduler = JsonConfig::ReadFile(
      index.FilesOf("scheduler").At("scheduler_config.json"));
  if (scheduler.ok()) {
    const std::string class_name =
        scheduler->ClassName(index.ClassOf("scheduler"));
    add("scheduler/scheduler_config.json",
        LostKeys(scheduler->object(), class_name, read->scheduler));
  }
  return all;
}

}  // namespace genzo
