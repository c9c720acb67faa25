#include "worker/text/embedding_folders.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file_stamp.h"
#include "base/logging.h"

namespace genzo {

EmbeddingFolders::EmbeddingFolders(std::vector<std::string> folders)
    : folders_(std::move(folders)),
      library_(std::make_shared<const EmbeddingLibrary>()) {
  Look();
}

void EmbeddingFolders::Look() {
  // Before reading: a file that changes meanwhile is read again.
  std::string stamp;
  for (const std::string& folder : folders_) {
    absl::StrAppend(&stamp, FileStamp(folder), "\n");
  }
  {
    const absl::MutexLock lock(&mutex_);
    if (stamp_ == stamp) return;
  }
  auto read = std::make_shared<const EmbeddingLibrary>(
      EmbeddingLibrary::Read(folders_));
  spdlog::info("embeddings: {}", read->embeddings().size());
  const absl::MutexLock lock(&mutex_);
  stamp_ = std::move(stamp);
  library_ = std::move(read);
}

std::shared_ptr<const EmbeddingLibrary> EmbeddingFolders::library() const {
  const absl::MutexLock lock(&mutex_);
  return library_;
}

}  // namespace genzo
