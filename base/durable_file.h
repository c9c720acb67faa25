#ifndef GENZO_BASE_DURABLE_FILE_H_
#define GENZO_BASE_DURABLE_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace genzo {

// Ends names of files that are being written; one that is found was left by a
// process that died.
inline constexpr char kUnfinishedSuffix[] = ".unfinished";

// Puts `bytes` into the file `name` in place of what was there, with its mode,
// owner and group; a new file is readable by its owner alone. Readers, and
// whoever comes after a crash, see one or the other as a whole. Written under
// another name, flushed to the disk, renamed, and the folder flushed. An error
// names the file and says why; then what was there before still is. For one
// writer of a path at a time.
absl::Status WriteDurably(const std::string& name, absl::string_view bytes);

// Adds `bytes` behind what the file `name` has, or makes one that its owner
// alone can read, and flushes it to the disk. After an error, which is as
// WriteDurably's, what was there before is all there is. For one writer.
absl::Status AppendDurably(const std::string& name, absl::string_view bytes);

}  // namespace genzo

#endif  // GENZO_BASE_DURABLE_FILE_H_
