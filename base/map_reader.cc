#include "base/map_reader.h"

#include <filesystem>

#include "base/config.h"

namespace genzo {

std::string InFolder(const std::string& folder, const std::string& path) {
  return (std::filesystem::path(folder) / path).lexically_normal().string();
}

void ReadPath(MapReader& map, const std::string& key,
              const std::string& base_folder, std::string& path) {
  map.Read(key, path);
  if (!path.empty()) path = InFolder(base_folder, path);
}

std::vector<std::string> ReadTexts(MapReader& map, const std::string& key,
                                   const std::string& what) {
  std::vector<std::string> texts;
  const YAML::Node list = map.Child(key);
  if (list.IsDefined() && !list.IsSequence()) {
    map.Fail(absl::StrCat(map.Path(key), " is not a list", what));
  } else if (list.IsDefined()) {
    for (const YAML::Node& item : list)
      texts.push_back(item.as<std::string>(""));
  }
  return texts;
}

void ReadFolders(MapReader& root, const std::string& key,
                 const std::string& base_folder,
                 std::vector<std::string>& folders) {
  const YAML::Node node = root.Child(key);
  if (!node.IsDefined() || node.IsNull()) return;
  if (!node.IsSequence()) {
    return root.Fail(absl::StrCat(key, " is not a list of folders"));
  }
  for (size_t i = 0; i < node.size(); ++i) {
    const auto folder = node[i].as<std::string>("");
    if (folder.empty()) {
      return root.Fail(absl::StrCat(key, "[", i, "] is not a folder's path"));
    }
    folders.push_back(InFolder(base_folder, folder));
  }
}

// "host:port"; empty stays what it is.
void ReadAddress(MapReader& root, const std::string& key, std::string& value) {
  root.Read(key, value);
  const absl::Status status = CheckAddress(value);
  if (!value.empty() && !status.ok()) {
    root.Fail(absl::StrCat(key, " ", status.message()));
  }
}

void ReadSeconds(MapReader& map, const std::string& key, int min, int max,
                 absl::Duration& value) {
  int seconds = static_cast<int>(absl::ToInt64Seconds(value));
  map.Read(key, min, max, seconds);
  value = absl::Seconds(seconds);
}

void ReadMegabytes(MapReader& map, const std::string& key, int64_t& bytes) {
  int megabytes = static_cast<int>(bytes >> 20);
  map.Read(key, 1, 1 << 20, megabytes);
  bytes = int64_t{megabytes} << 20;
}

}  // namespace genzo
