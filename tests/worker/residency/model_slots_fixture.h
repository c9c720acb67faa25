#ifndef GENZO_TESTS_WORKER_RESIDENCY_MODEL_SLOTS_FIXTURE_H_
#define GENZO_TESTS_WORKER_RESIDENCY_MODEL_SLOTS_FIXTURE_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "worker/residency/model_slots.h"

namespace genzo {

inline constexpr int64_t kModelBytes = 40;
inline constexpr int64_t kActivationBytes = 2;

// Slots with a loading thread and an engine played by hand.
class ModelSlotsTest : public ::testing::Test {
 protected:
  // What a Load() or Unload() heard.
  struct Heard {
    int times = 0;
    absl::Status status;
  };
  using HeardRef = std::shared_ptr<Heard>;

  ModelSlotsTest() { Make(100); }

  void Make(int64_t budget, bool keeps_activations = false) {
    slots_ = std::make_unique<ModelSlots>(
        std::vector<ModelConfig>{{"a", "/a"}, {"b", "/b"}, {"c", "/c"}}, budget,
        keeps_activations);
  }

  static void Tell(const ModelSlots::Answers& answers) {
    for (const auto& [done, status] : answers) done(status);
  }
  static ModelSlots::Done Into(const HeardRef& heard) {
    return [heard](const absl::Status& status) {
      ++heard->times;
      heard->status = status;
    };
  }
  HeardRef Load(const std::string& id, std::optional<bool> pinned = {}) {
    auto heard = std::make_shared<Heard>();
    Tell(slots_->Load(id, pinned, Into(heard)));
    return heard;
  }
  HeardRef Unload(const std::string& id) {
    auto heard = std::make_shared<Heard>();
    Tell(slots_->Unload(id, Into(heard)));
    return heard;
  }

  // One task of the loading thread's; what it was, or "".
  std::string Work() {
    const auto task = slots_->Next();
    if (!task.has_value()) return "";
    switch (task->kind) {
      case ModelSlots::Task::Kind::kSize: {
        const auto bytes = SizeOf(*task);
        if (bytes.ok()) slots_->Sized(*task, *bytes);
        if (!bytes.ok()) Tell(slots_->Failed(*task, bytes.status()));
        return "size " + task->id;
      }
      case ModelSlots::Task::Kind::kVet:
        slots_->Vetted(*task, SizeOf(*task));
        return "vet " + task->id;
      case ModelSlots::Task::Kind::kDescribe:
        slots_->Described(*task);
        return "describe " + task->id;
      case ModelSlots::Task::Kind::kLoad:
        slots_->Loaded(task->id);
        return "load " + task->id;
      case ModelSlots::Task::Kind::kFree:
        Tell(slots_->Freed(task->id));
        return "free " + task->id;
      case ModelSlots::Task::Kind::kRefuse:
        Tell(slots_->Failed(*task, task->status));
        return "refuse " + task->id;
      case ModelSlots::Task::Kind::kFreeBeside:
        break;  // asked for by hand
    }
    return "?";
  }
  absl::StatusOr<ModelBytes> SizeOf(const ModelSlots::Task& task) {
    if (broken_.count(task.files.path) == 0) return bytes_[task.id];
    return absl::DataLossError(task.files.path + " is torn");
  }
  // All there is to do, without the reading of sizes.
  std::vector<std::string> WorkAll() {
    std::vector<std::string> tasks;
    for (std::string task = Work(); !task.empty(); task = Work()) {
      if (task.rfind("size", 0) != 0) tasks.push_back(task);
    }
    return tasks;
  }
  // The engine measures what has come.
  void Measure() {
    for (const std::string& id : slots_->TakeNews()) {
      Tell(slots_->Ready(id, kActivationBytes));
      slots_->Release(id);
    }
  }
  void MakeReady(const std::string& id) {
    slots_->Request(id);
    WorkAll();
    Measure();
    ASSERT_TRUE(slots_->ReadyIds().count(id) > 0) << id;
  }

  std::map<std::string, ModelBytes> bytes_ = {
      {"a", kModelBytes}, {"b", kModelBytes}, {"c", kModelBytes}};
  std::set<std::string> broken_;  // paths
  std::unique_ptr<ModelSlots> slots_;
};

}  // namespace genzo

#endif  // GENZO_TESTS_WORKER_RESIDENCY_MODEL_SLOTS_FIXTURE_H_
