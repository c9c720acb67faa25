#include "worker/text/embedding_folders.h"

#include <utility>

#include "base/logging.h"

namespace genzo {

EmbeddingFolders::EmbeddingFolders(std::vector<std::string> folders)
    : folders_("embeddings", std::move(folders), IsEmbeddingFile),
      library_(std::make_shared<const EmbeddingLibrary>()) {
  Look();
}

void EmbeddingFolders::Look() {
  // Before reading: a file that changes meanwhile is read again.
  std::vector<WatchedFolders::Entry> found = folders_.Look();
  if (found == found_) return;
  std::vector<std::string> files;
  for (const WatchedFolders::Entry& entry : found) files.push_back(entry.path);
  found_ = std::move(found);
  auto read =
      std::make_shared<const EmbeddingLibrary>(EmbeddingLibrary::Read(files));
  spdlog::info("embeddings: {}", read->embeddings().size());
  const absl::MutexLock lock(&mutex_);
  library_ = std::move(read);
}

std::shared_ptr<const EmbeddingLibrary> EmbeddingFolders::library() const {
  const absl::MutexLock lock(&mutex_);
  return library_;
}

}  // namespace genzo
