#ifndef GENZO_BASE_WATCHED_FOLDERS_H_
#define GENZO_BASE_WATCHED_FOLDERS_H_

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

namespace genzo {

// What lies in folders whose files come, change and go while the server runs.
// One policy for all of them:
//
//   changed       another FileStamp: a size or a time, of a folder's files any
//   half-written  listed as it is; it is broken to who reads it now and has
//                 another stamp once it is whole
//   unreadable    a folder that cannot be read lists what it had, as nobody
//                 knows what is gone; one that is not there has nothing. The
//                 log says so once
//
// For one thread at a time.
class WatchedFolders {
 public:
  struct Entry {
    std::string path;
    std::string stamp;  // FileStamp()

    // Another once the entry has changed, and nobody else's.
    std::string id() const { return path + " " + stamp; }
    bool operator==(const Entry&) const = default;
  };
  // Whether what lies at a path, a file or a folder, is an entry.
  using IsEntry = std::function<bool(const std::filesystem::path& path)>;
  enum class Depth { kFlat, kAllBelow };

  // `what` lies there, for the log: "upscalers". Does not look yet.
  WatchedFolders(std::string what, std::vector<std::string> folders,
                 IsEntry is_entry, Depth depth = Depth::kFlat);

  // What is there now: folder by folder, and by path in each.
  std::vector<Entry> Look();

 private:
  std::vector<Entry> LookInto(const std::string& folder);

  const std::string what_;
  const std::vector<std::string> folders_;
  const IsEntry is_entry_;
  const Depth depth_;
  std::map<std::string, std::vector<Entry>> seen_;  // by folder
  std::map<std::string, std::string> said_;         // of folders, to the log
};

// Whether a path's ending is among `endings`, as in {".safetensors", ".pth"}.
bool HasEnding(const std::filesystem::path& path,
               std::initializer_list<const char*> endings);

}  // namespace genzo

#endif  // GENZO_BASE_WATCHED_FOLDERS_H_
