#include "worker/residency/lora_library.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/utf8.h"
#include "c10/core/InferenceMode.h"
#include "worker/adapters/lora_adapter.h"
#include "worker/adapters/lora_names.h"
#include "worker/device/exception_status.h"
#include "worker/device/thread_count.h"
#include "worker/text/unicode_text.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxMessageBytes = 500;
constexpr size_t kMaxNameBytes = 200;

constexpr int kMostUnreadTold = 5;

bool IsAdapterFile(const fs::path& path) {
  std::error_code ignored;
  return HasEnding(path, {".safetensors"}) &&
         fs::is_regular_file(path, ignored);
}

// By name; of two with one name, the first. `left_out` hears of the others.
std::map<std::string, WatchedFolders::Entry> ByName(
    const std::vector<WatchedFolders::Entry>& entries,
    const std::function<void(const WatchedFolders::Entry&,
                             const std::string& why)>& left_out) {
  std::map<std::string, WatchedFolders::Entry> files;
  for (const WatchedFolders::Entry& entry : entries) {
    const std::string name = fs::path(entry.path).stem().string();
    if (name.size() > kMaxNameBytes) {
      left_out(entry, absl::StrCat("its name has more than ", kMaxNameBytes,
                                   " bytes"));
    } else if (Printable(name) != name) {
      left_out(entry, "its name cannot be printed");
    } else if (!files.try_emplace(name, entry).second) {
      left_out(entry, "another file has its name");
    }
  }
  return files;
}

absl::Status CheckRank(int64_t rank) {
  if (rank <= kMaxLoraRank) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("rank ", rank, " is not between 1 and ", kMaxLoraRank));
}

}  // namespace

absl::Status ForClients(const absl::Status& status, const std::string& path) {
  return absl::Status(
      status.code(),
      PrintableText(absl::StrReplaceAll(
                        std::string(status.message()),
                        {{absl::StrCat(path, ": "), ""}, {path, "the file"}}),
                    kMaxMessageBytes));
}

LoraLibrary::LoraLibrary(std::vector<std::string> folders, LoraCatalog& catalog,
                         absl::Duration interval)
    : folders_("adapters", std::move(folders), IsAdapterFile,
               WatchedFolders::Depth::kAllBelow),
      catalog_(catalog),
      interval_(interval) {
  {
    absl::MutexLock lock(&looking_);
    Scan();
  }
  if (interval < absl::InfiniteDuration()) {
    thread_ = std::thread([this] { Loop(); });
  }
}

LoraLibrary::~LoraLibrary() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void LoraLibrary::AddModel(const std::string& id,
                           std::shared_ptr<const AdapterTargets> targets) {
  absl::MutexLock lock(&mutex_);
  models_[id] = std::move(targets);
  for (auto& [name, entry] : entries_) std::erase(entry.fits, id);
  asked_ = true;
}

void LoraLibrary::RemoveModel(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  models_.erase(id);
  for (auto& [name, entry] : entries_) std::erase(entry.fits, id);
  catalog_.RemoveModel(id);
}

absl::StatusOr<LoraLibrary::File> LoraLibrary::Find(
    const std::string& name) const {
  const absl::Status usable = catalog_.Check(name, /*model=*/"");
  if (!usable.ok()) return usable;
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(name);
  if (found != entries_.end() && found->second.file.tensors != nullptr) {
    return found->second.file;
  }
  return absl::NotFoundError(absl::StrCat("\"", name, "\" is gone"));
}

void LoraLibrary::Loop() {
  c10::InferenceMode inference;
  UseThreads(1);
  const auto due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopped_ || asked_;
  };
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(absl::Condition(&due), interval_);
      if (stopped_) return;
      asked_ = false;
    }
    Look();
  }
}

void LoraLibrary::Look() {
  absl::MutexLock lock(&looking_);
  Scan();
  CheckFits();
  CheckValues();
}

void LoraLibrary::Scan() {
  std::set<std::string> left_out;
  const auto files =
      ByName(folders_.Look(),
             [&](const WatchedFolders::Entry& entry, const std::string& why) {
               left_out.insert(entry.path);
               if (left_out_.count(entry.path) > 0) return;
               spdlog::warn("adapter {} is left out: {}", entry.path, why);
             });
  left_out_ = std::move(left_out);
  std::vector<std::string> gone;
  std::map<std::string, std::string> known;  // ids by name
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [name, entry] : entries_) {
      known[name] = entry.file.id;
      if (files.count(name) == 0) gone.push_back(name);
    }
    for (const std::string& name : gone) entries_.erase(name);
  }
  for (const std::string& name : gone) catalog_.Remove(name);
  for (const auto& [name, entry] : files) {
    const auto before = known.find(name);
    if (before != known.end() && before->second == entry.id()) continue;
    Open(name, entry.path, entry.id());
  }
}

void LoraLibrary::Open(const std::string& name, const std::string& path,
                       const std::string& id) {
  v1::Lora lora;
  lora.set_name(name);
  std::error_code error;
  lora.set_file_bytes(fs::file_size(path, error));
  Entry entry = {.path = path, .file = {.tensors = nullptr, .id = id}};
  const auto opened = SafetensorsFile::Open(path);
  absl::Status status = opened.status();
  if (opened.ok()) {
    const LoraNames names = ReadLoraNames((*opened)->entries());
    const int64_t rank = RankOf(**opened, names);
    lora.set_family(LoraFamily(**opened, names));
    for (const std::string& tensor : names.strangers) {
      if (lora.unread_tensors_size() == kMostUnreadTold) break;
      lora.add_unread_tensors(PrintableText(tensor, kMaxMessageBytes));
    }
    status = names.modules.empty() ? absl::InvalidArgumentError(
                                         "is no adapter: no tensor has "
                                         "the name of one's")
                                   : CheckRank(rank);
    if (status.ok()) status = CheckKinds(names);
    if (status.ok()) {
      lora.set_rank(static_cast<uint32_t>(rank));
      entry.file.tensors = *opened;
    }
  }
  if (!status.ok()) {
    spdlog::warn("adapter {} cannot be used: {}", name,
                 std::string(status.message()));
    *lora.mutable_error() = ToRpcStatus(ForClients(status, path));
  }
  catalog_.Put(std::move(lora));
  absl::MutexLock lock(&mutex_);
  entries_[name] = std::move(entry);
}

void LoraLibrary::CheckFits() {
  struct Pair {
    std::string name, path, model;
    std::shared_ptr<const SafetensorsFile> tensors;
    std::shared_ptr<const AdapterTargets> targets;
  };
  std::vector<Pair> pairs;
  {
    absl::MutexLock lock(&mutex_);
    for (auto& [name, entry] : entries_) {
      if (entry.file.tensors == nullptr) continue;
      for (const auto& [model, targets] : models_) {
        if (std::count(entry.fits.begin(), entry.fits.end(), model) > 0) {
          continue;
        }
        pairs.push_back({name, entry.path, model, entry.file.tensors, targets});
        entry.fits.push_back(model);
      }
    }
  }
  for (const Pair& pair : pairs) {
    const absl::Status fits =
        pair.targets == nullptr
            ? absl::InvalidArgumentError("it takes no adapters")
            : LoraAdapter::Check(*pair.tensors, *pair.targets);
    LoraLayers layers;
    if (fits.ok()) {
      layers = LoraAdapter::LayersOf(*pair.tensors, *pair.targets);
    }
    // The model may be gone by now, or another.
    absl::MutexLock lock(&mutex_);
    const auto model = models_.find(pair.model);
    if (model == models_.end() || model->second != pair.targets) continue;
    catalog_.SetFit(pair.name, pair.model, ForClients(fits, pair.path),
                    std::move(layers));
  }
}

void LoraLibrary::CheckValues() {
  std::map<std::string, Entry> due;
  {
    absl::MutexLock lock(&mutex_);
    for (auto& [name, entry] : entries_) {
      if (entry.file.tensors == nullptr || entry.checked) continue;
      due[name] = entry;
    }
  }
  for (const auto& [name, entry] : due) {
    absl::Status status;
    try {
      for (const auto& [tensor, what] : entry.file.tensors->entries()) {
        if (!c10::isFloatingType(what.dtype)) continue;
        status.Update(
            entry.file.tensors
                ->Read(tensor, {.dtype = what.dtype, .must_be_finite = true})
                .status());
        absl::MutexLock lock(&mutex_);
        if (stopped_) return;
      }
    } catch (const std::exception&) {
      status = StatusFromException(entry.path);
    }
    if (!status.ok()) {
      spdlog::warn("adapter {} cannot be used: {}", name,
                   std::string(status.message()));
      catalog_.Fail(name, ForClients(status, entry.path));
    }
    absl::MutexLock lock(&mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end() || found->second.file.id != entry.file.id) {
      continue;
    }
    found->second.checked = true;
    if (!status.ok()) found->second.file.tensors = nullptr;
  }
}

}  // namespace genzo
