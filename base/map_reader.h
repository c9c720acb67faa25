#ifndef GENZO_BASE_MAP_READER_H_
#define GENZO_BASE_MAP_READER_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "yaml-cpp/yaml.h"

namespace genzo {

// Reads the keys of one YAML map, remembers the first fault and which keys were
// asked for, so that left-over keys can be called unknown.
class MapReader {
 public:
  MapReader(const YAML::Node& node, std::string path, absl::Status& status)
      : node_(node), path_(std::move(path)), status_(status) {
    if (node_.IsDefined() && !node_.IsNull() && !node_.IsMap()) {
      Fail(absl::StrCat(path_.empty() ? "the configuration" : path_,
                        " is not a map of keys"));
      node_ = YAML::Node();
    }
  }

  ~MapReader() {
    if (!node_.IsMap()) return;
    std::set<std::string> seen;
    for (const auto& entry : node_) {
      const std::string key = entry.first.as<std::string>("?");
      if (!seen.insert(key).second) {
        Fail(absl::StrCat("key ", Path(key), " occurs twice"));
      }
      if (known_.count(key) > 0) continue;
      Fail(absl::StrCat("unknown key ", Path(key),
                        "; known here: ", absl::StrJoin(known_, ", ")));
    }
  }

  YAML::Node Child(const std::string& key) {
    known_.insert(key);
    return node_.IsMap() ? node_[key] : YAML::Node(YAML::NodeType::Undefined);
  }

  void Read(const std::string& key, std::string& value) {
    const YAML::Node child = Child(key);
    if (!child.IsDefined()) return;
    if (!child.IsScalar() && !child.IsNull()) {
      return Fail(absl::StrCat(Path(key), " is not a string"));
    }
    value = child.IsNull() ? "" : child.as<std::string>();
  }

  void Read(const std::string& key, int min, int max, int& value) {
    int64_t read = value;
    Read(key, int64_t{min}, int64_t{max}, read);
    value = static_cast<int>(read);
  }

  void Read(const std::string& key, int64_t min, int64_t max, int64_t& value) {
    const YAML::Node child = Child(key);
    if (!child.IsDefined()) return;
    int64_t read = 0;
    try {
      read = child.as<int64_t>();
    } catch (const YAML::Exception&) {
      return Fail(absl::StrCat(Path(key), " is not a whole number"));
    }
    if (read < min || read > max) {
      return Fail(absl::StrCat(Path(key), " ", read, " is not between ", min,
                               " and ", max));
    }
    value = read;
  }

  void Read(const std::string& key, bool& value) {
    const YAML::Node child = Child(key);
    if (!child.IsDefined()) return;
    try {
      value = child.as<bool>();
    } catch (const YAML::Exception&) {
      Fail(absl::StrCat(Path(key), " is neither true nor false"));
    }
  }

  void Read(const std::string& key, double min, double max, double& value) {
    const YAML::Node child = Child(key);
    if (!child.IsDefined()) return;
    double read = 0;
    try {
      read = child.as<double>();
    } catch (const YAML::Exception&) {
      return Fail(absl::StrCat(Path(key), " is not a number"));
    }
    if (!(read >= min && read <= max)) {
      return Fail(absl::StrCat(Path(key), " ", read, " is not between ", min,
                               " and ", max));
    }
    value = read;
  }

  void ReadChoice(const std::string& key, const std::set<std::string>& choices,
                  std::string& value) {
    Read(key, value);
    if (choices.count(value) > 0) return;
    Fail(absl::StrCat(Path(key), " \"", value, "\" is not one of ",
                      absl::StrJoin(choices, ", ")));
  }

  void Fail(const std::string& message) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(message);
  }

  std::string Path(const std::string& key) const {
    return path_.empty() ? key : absl::StrCat(path_, ".", key);
  }

 private:
  YAML::Node node_;
  const std::string path_;
  absl::Status& status_;
  std::set<std::string> known_;
};

// `path`, from `folder` on if it is relative.
std::string InFolder(const std::string& folder, const std::string& path);

// The same of a map's key; empty stays empty.
void ReadPath(MapReader& map, const std::string& key,
              const std::string& base_folder, std::string& path);

// A list of texts, to which faults say `what` they are: "", " of hosts".
// Without the key, none.
std::vector<std::string> ReadTexts(MapReader& map, const std::string& key,
                                   const std::string& what = "");

// A list of folders.
void ReadFolders(MapReader& root, const std::string& key,
                 const std::string& base_folder,
                 std::vector<std::string>& folders);

// An address to listen at, or nothing.
void ReadAddress(MapReader& root, const std::string& key, std::string& value);

// A number in the file's unit.
void ReadSeconds(MapReader& map, const std::string& key, int min, int max,
                 absl::Duration& value);
void ReadMegabytes(MapReader& map, const std::string& key, int64_t& bytes);

}  // namespace genzo

#endif  // GENZO_BASE_MAP_READER_H_
