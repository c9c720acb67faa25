#include "worker/residency/model_slots.h"

#include <memory>
#include <random>

#include "base/errors.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = ModelSlots::Task::Kind;

constexpr int64_t kModelBytes = 40;
constexpr int64_t kActivationBytes = 2;

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
      case Kind::kSize:
        slots_->Sized(task->id, bytes_[task->id]);
        return "size " + task->id;
      case Kind::kLoad:
        slots_->Loaded(task->id);
        return "load " + task->id;
      case Kind::kFree:
        Tell(slots_->Freed(task->id));
        return "free " + task->id;
      case Kind::kRefuse:
        Tell(slots_->Failed(task->id, task->status));
        return "refuse " + task->id;
      case Kind::kFreeBeside:
        break;  // asked for by hand
    }
    return "?";
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

  std::map<std::string, int64_t> bytes_ = {
      {"a", kModelBytes}, {"b", kModelBytes}, {"c", kModelBytes}};
  std::unique_ptr<ModelSlots> slots_;
};

TEST_F(ModelSlotsTest, ALoadIsAnsweredWhenTheModelIsMeasured) {
  const auto load = Load("a");
  EXPECT_EQ(Work(), "size a");
  EXPECT_EQ(Work(), "load a");
  EXPECT_FALSE(slots_->Hold("a")) << "not measured";
  EXPECT_EQ(load->times, 0);
  Measure();
  EXPECT_EQ(load->times, 1);
  EXPECT_THAT(load->status, IsOk());
  EXPECT_TRUE(slots_->Hold("a"));
  EXPECT_EQ(Load("a")->times, 1) << "at once, when it is there";
}

TEST_F(ModelSlotsTest, IsLoadedOnceHoweverOftenItIsAskedFor) {
  slots_->Request("a");
  slots_->Request("a");
  Load("a");
  EXPECT_THAT(WorkAll(), ElementsAre("load a"));
}

TEST_F(ModelSlotsTest, UnknownModelsAreRefused) {
  EXPECT_EQ(ErrorReason(Load("x")->status), "MODEL_NOT_FOUND");
  EXPECT_EQ(ErrorReason(Unload("x")->status), "MODEL_NOT_FOUND");
  slots_->Request("x");
  EXPECT_EQ(Work(), "");
}

TEST_F(ModelSlotsTest, AFailureIsToldUntilItIsTriedAgain) {
  const auto load = Load("a");
  EXPECT_EQ(Work(), "size a");
  ASSERT_EQ(slots_->Next()->kind, Kind::kLoad);
  Tell(slots_->Failed("a", absl::DataLossError("a is torn")));
  EXPECT_EQ(ErrorReason(load->status), "MODEL_FAILED");
  EXPECT_THAT(slots_->Failure("a"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "torn"));
  Load("a");
  EXPECT_THAT(slots_->Failure("a"), IsOk());
}

TEST_F(ModelSlotsTest, AModelThatCannotBeMeasuredFailsAndLeaves) {
  const auto load = Load("a");
  WorkAll();
  EXPECT_THAT(slots_->TakeNews(), ElementsAre("a"));
  Tell(slots_->Reject("a", absl::InternalError("no kernel")));
  EXPECT_THAT(load->status,
              StatusIs(absl::StatusCode::kFailedPrecondition, "no kernel"));
  EXPECT_EQ(Work(), "") << "still held";
  slots_->Release("a");
  EXPECT_THAT(WorkAll(), ElementsAre("free a"));
  EXPECT_THAT(slots_->Failure("a"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "no kernel"));
}

// --- Load() against Unload() -------------------------------------------------

TEST_F(ModelSlotsTest, AnUnloadBeforeTheLoadingBeginsAnswersBoth) {
  const auto load = Load("a");
  const auto unload = Unload("a");
  EXPECT_EQ(ErrorReason(load->status), "UNLOADED");
  EXPECT_EQ(load->status.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(unload->status, IsOk());
  EXPECT_EQ(unload->times, 1);
  EXPECT_EQ(Work(), "");
}

TEST_F(ModelSlotsTest, AnUnloadDuringTheLoadingAnswersBoth) {
  const auto load = Load("a");
  Work();
  ASSERT_EQ(slots_->Next()->kind, Kind::kLoad);
  const auto unload = Unload("a");
  EXPECT_EQ(ErrorReason(load->status), "UNLOADED");
  EXPECT_EQ(unload->times, 0) << "it takes memory yet";
  slots_->Loaded("a");
  EXPECT_THAT(slots_->TakeNews(), IsEmpty());
  EXPECT_THAT(WorkAll(), ElementsAre("free a"));
  EXPECT_EQ(unload->times, 1);
}

TEST_F(ModelSlotsTest, AnUnloadDuringTheMeasuringAnswersBoth) {
  const auto load = Load("a");
  WorkAll();
  EXPECT_THAT(slots_->TakeNews(), ElementsAre("a"));
  const auto unload = Unload("a");
  EXPECT_EQ(ErrorReason(load->status), "UNLOADED");
  Tell(slots_->Ready("a", kActivationBytes));
  EXPECT_FALSE(slots_->Hold("a"));
  slots_->Release("a");
  EXPECT_THAT(WorkAll(), ElementsAre("free a"));
  EXPECT_EQ(load->times, 1);
  EXPECT_EQ(unload->times, 1);
}

TEST_F(ModelSlotsTest, ALoadBehindAnUnloadBringsTheModelBack) {
  MakeReady("a");
  ASSERT_TRUE(slots_->Hold("a"));
  const auto unload = Unload("a");
  const auto load = Load("a");
  EXPECT_EQ(Work(), "") << "held";
  slots_->Release("a");
  EXPECT_THAT(WorkAll(), ElementsAre("free a", "load a"));
  EXPECT_THAT(unload->status, IsOk());
  Measure();
  EXPECT_EQ(load->times, 1);
  EXPECT_THAT(load->status, IsOk());
}

TEST_F(ModelSlotsTest, ABusyModelTakesNoJobsOnceItIsToLeave) {
  MakeReady("a");
  ASSERT_TRUE(slots_->Hold("a"));
  const auto unload = Unload("a");
  EXPECT_FALSE(slots_->Hold("a"));
  EXPECT_EQ(unload->times, 0);
  slots_->Release("a");
  WorkAll();
  EXPECT_EQ(unload->times, 1);
}

// Any mix of calls at any time: all are answered, once, and nothing is over
// the budget on the way.
TEST_F(ModelSlotsTest, AStormOfCallsIsAnsweredToTheLast) {
  for (int seed = 0; seed < 300; ++seed) {
    Make(seed % 2 == 0 ? 90 : 130);
    std::mt19937 random(seed);
    const auto id = [&] { return std::string(1, 'a' + random() % 3); };
    std::vector<HeardRef> calls;
    std::vector<std::string> held;
    std::set<std::string> measuring;
    for (int i = 0; i < 120; ++i) {
      switch (random() % 9) {
        case 0:
          calls.push_back(Load(id(), random() % 8 == 0));
          break;
        case 1:
          calls.push_back(Unload(id()));
          break;
        case 2:
          slots_->Request(id());
          break;
        case 3:
          held.push_back(id());
          if (!slots_->Hold(held.back())) held.pop_back();
          break;
        case 4:
          if (held.empty()) break;
          slots_->Release(held.back());
          held.pop_back();
          break;
        case 5:
          for (const auto& news : slots_->TakeNews()) measuring.insert(news);
          break;
        case 6:
          if (measuring.empty()) break;
          if (random() % 4 == 0) {
            Tell(slots_->Reject(*measuring.begin(),
                                absl::InternalError("seeded")));
          } else {
            Tell(slots_->Ready(*measuring.begin(), kActivationBytes));
          }
          slots_->Release(*measuring.begin());
          measuring.erase(measuring.begin());
          break;
        default:
          if (random() % 4 == 0) {
            const auto task = slots_->Next();
            // Calls come while the thread is at work.
            if (task.has_value() && task->kind == Kind::kLoad) {
              calls.push_back(random() % 2 == 0 ? Unload(task->id)
                                                : Load(task->id));
              if (random() % 4 == 0) {
                Tell(slots_->Failed(task->id, absl::DataLossError("seeded")));
              } else {
                slots_->Loaded(task->id);
              }
              break;
            }
          }
          Work();
      }
      ASSERT_GE(slots_->BytesLeft("none"), 0) << "seed " << seed;
    }
    for (const std::string& each : held) slots_->Release(each);
    for (const std::string& each : measuring) {
      Tell(slots_->Ready(each, kActivationBytes));
      slots_->Release(each);
    }
    while (!WorkAll().empty() || slots_->HasNews()) Measure();
    for (const HeardRef& heard : calls) {
      ASSERT_EQ(heard->times, 1) << "seed " << seed;
    }
  }
}

TEST_F(ModelSlotsTest, WhatWaitsIsAnsweredWhenItStops) {
  MakeReady("a");
  ASSERT_TRUE(slots_->Hold("a"));
  const auto unload = Unload("a");
  const auto back = Load("a");
  const auto load = Load("b");
  Work();
  ASSERT_EQ(slots_->Next()->kind, Kind::kLoad);
  const auto waiting = Load("c");
  Tell(slots_->Stop());
  for (const auto& heard : {unload, back, load, waiting}) {
    EXPECT_EQ(heard->times, 1);
    EXPECT_EQ(ErrorReason(heard->status), "DRAINING");
  }
  slots_->Loaded("b");
  EXPECT_FALSE(slots_->Next().has_value());
  EXPECT_EQ(ErrorReason(Load("b")->status), "DRAINING");
}

// --- room --------------------------------------------------------------------

TEST_F(ModelSlotsTest, TheLeastRecentlyUsedMakesRoom) {
  MakeReady("a");
  MakeReady("b");
  ASSERT_TRUE(slots_->Hold("a"));
  slots_->Release("a");
  slots_->Request("c");
  EXPECT_THAT(WorkAll(), ElementsAre("free b", "load c"));
}

TEST_F(ModelSlotsTest, AnIdleModelLeavesBeforeOneInUse) {
  MakeReady("a");
  MakeReady("b");
  ASSERT_TRUE(slots_->Hold("a"));
  ASSERT_TRUE(slots_->Hold("b"));
  slots_->Release("b");  // used last, and idle
  slots_->Request("c");
  EXPECT_THAT(WorkAll(), ElementsAre("free b", "load c"));
  EXPECT_FALSE(slots_->Leaving("a"));
}

TEST_F(ModelSlotsTest, WhatWaitsForAModelInUseKeepsNobodyWaiting) {
  bytes_ = {{"a", 60}, {"b", 50}, {"c", 30}};
  MakeReady("a");
  ASSERT_TRUE(slots_->Hold("a"));
  slots_->Request("b");  // needs a's place
  EXPECT_THAT(WorkAll(), IsEmpty());
  slots_->Request("c");  // fits beside either
  EXPECT_THAT(WorkAll(), ElementsAre("load c"));
  slots_->Release("a");
  EXPECT_THAT(WorkAll(), ElementsAre("free a", "load b"));
}

TEST_F(ModelSlotsTest, WhatComesLaterDoesNotTakeThePlaceThatOneWaitsFor) {
  bytes_ = {{"a", 60}, {"b", 70}, {"c", 40}};
  MakeReady("a");
  ASSERT_TRUE(slots_->Hold("a"));
  slots_->Request("b");
  slots_->Request("c");
  EXPECT_THAT(WorkAll(), IsEmpty()) << "c would keep b out for ever";
  slots_->Release("a");
  EXPECT_THAT(WorkAll(), ElementsAre("free a", "load b"));
}

TEST_F(ModelSlotsTest, AModelThatIsOnlyComingIsNotSentAwayUnused) {
  bytes_ = {{"a", 60}, {"b", 60}, {"c", 60}};
  const auto first = Load("a");
  const auto second = Load("b");
  EXPECT_THAT(WorkAll(), ElementsAre("load a"));
  Measure();
  EXPECT_THAT(first->status, IsOk());
  EXPECT_EQ(first->times, 1);
  EXPECT_THAT(WorkAll(), ElementsAre("free a", "load b"));
  Measure();
  EXPECT_EQ(second->times, 1);
}

TEST_F(ModelSlotsTest, WhatDidNotFitLoadsWhenThereIsRoom) {
  MakeReady("b");  // its limits are known from now on
  Unload("b");
  WorkAll();
  bytes_["a"] = 80;
  Load("a", /*pinned=*/true);
  WorkAll();
  Measure();
  slots_->Request("b");
  EXPECT_THAT(WorkAll(), ElementsAre("refuse b"));
  EXPECT_EQ(ErrorReason(slots_->Failure("b")), "DOES_NOT_FIT");
  EXPECT_THAT(slots_->Failure("b").message(), HasSubstr("a (82)"));
  Unload("a");
  EXPECT_THAT(slots_->Failure("b"), IsOk()) << "a is no longer pinned";
  WorkAll();
  MakeReady("b");
}

TEST_F(ModelSlotsTest, UnpinningIsEnoughForWhatDidNotFit) {
  bytes_["a"] = 80;
  Load("a", /*pinned=*/true);
  WorkAll();
  Measure();
  slots_->Request("b");
  WorkAll();
  ASSERT_FALSE(slots_->Failure("b").ok());
  Load("a", /*pinned=*/false);
  EXPECT_THAT(WorkAll(), ElementsAre("free a", "load b"))
      << "nobody could ask for a model that was never there";
}

TEST_F(ModelSlotsTest, OtherFailuresStay) {
  Load("a");
  WorkAll();
  slots_->TakeNews();
  Tell(slots_->Reject("a", absl::InternalError("no kernel")));
  slots_->Release("a");
  WorkAll();
  MakeReady("b");
  Unload("b");
  WorkAll();
  EXPECT_FALSE(slots_->Failure("a").ok());
}

TEST_F(ModelSlotsTest, OthersKeepTheMemoryOfTheirEvaluationsOnAGpu) {
  MakeReady("a");
  MakeReady("b");
  EXPECT_EQ(slots_->BytesLeft("a"), 100 - 2 * kModelBytes);
  Make(100, /*keeps_activations=*/true);
  MakeReady("a");
  MakeReady("b");
  EXPECT_EQ(slots_->BytesLeft("a"), 100 - 2 * kModelBytes - kActivationBytes);
}

TEST_F(ModelSlotsTest, WhatStandsBesideModelsTakesOfTheirBudget) {
  MakeReady("a");
  EXPECT_EQ(slots_->BytesLeft("a"), 60);
  EXPECT_THAT(slots_->ReserveBeside(50, {}).status, IsOk());
  EXPECT_EQ(slots_->BytesLeft("a"), 10);
  ASSERT_TRUE(slots_->Hold("a"));
  EXPECT_EQ(ErrorReason(slots_->ReserveBeside(50, {}).status), "DOES_NOT_FIT");
  slots_->SetBeside(0);
  EXPECT_EQ(slots_->BytesLeft("a"), 60);
}

TEST_F(ModelSlotsTest, IdleModelsLeaveForWhatStandsBesideThem) {
  MakeReady("a");
  MakeReady("b");
  ASSERT_TRUE(slots_->Hold("b"));
  EXPECT_THAT(slots_->ReserveBeside(50, {}).status,
              StatusIs(absl::StatusCode::kUnavailable, "leaving"));
  EXPECT_THAT(WorkAll(), ElementsAre("free a"));
  EXPECT_THAT(slots_->ReserveBeside(50, {}).status, IsOk());
  EXPECT_EQ(ErrorReason(slots_->ReserveBeside(20, {}).status), "DOES_NOT_FIT")
      << "b is in use";
}

TEST_F(ModelSlotsTest, WhatIsIdleBesideModelsMakesRoomForThem) {
  ASSERT_THAT(slots_->ReserveBeside(80, {}).status, IsOk());
  slots_->Request("a");
  EXPECT_EQ(Work(), "size a");
  EXPECT_EQ(slots_->Next()->kind, Kind::kFreeBeside);
  slots_->SetBeside(50);
  EXPECT_EQ(Work(), "load a");
  // The rest is in use: another order asks once more and is refused.
  bytes_["b"] = 60;
  slots_->Request("b");
  EXPECT_EQ(Work(), "size b");
  for (const Kind kind : {Kind::kFreeBeside, Kind::kRefuse}) {
    const auto task = slots_->Next();
    ASSERT_TRUE(task.has_value());
    EXPECT_EQ(task->kind, kind);
  }
}

// The longest unused first, whatever it is.
TEST_F(ModelSlotsTest, ModelsAndWhatStandsBesideThemLeaveInTheOrderOfUse) {
  Make(110);
  bytes_["c"] = 50;
  ASSERT_THAT(slots_->ReserveBeside(20, {}).status, IsOk());
  const IdleBeside older = {.bytes = 10, .last_used = slots_->NextUse()};
  MakeReady("a");
  const IdleBeside newer = {.bytes = 10, .last_used = slots_->NextUse()};
  MakeReady("b");
  // All is full. The one used before a goes, and as it is not enough a too.
  slots_->Request("c");
  EXPECT_EQ(Work(), "size c");
  const auto task = slots_->Next({older, newer});
  ASSERT_TRUE(task.has_value());
  EXPECT_EQ(task->kind, Kind::kFreeBeside);
  EXPECT_THAT(task->uses, ElementsAre(older.last_used));
  slots_->SetBeside(10);
  EXPECT_THAT(WorkAll(), ElementsAre("free a", "load c"));
}

TEST_F(ModelSlotsTest, WhatIsIdleLeavesForOthersBesideModels) {
  Make(110);
  ASSERT_THAT(slots_->ReserveBeside(60, {}).status, IsOk());
  const IdleBeside idle = {.bytes = 30, .last_used = slots_->NextUse()};
  MakeReady("a");
  const auto room = slots_->ReserveBeside(30, {idle});
  EXPECT_THAT(room.status, StatusIs(absl::StatusCode::kUnavailable, ""));
  EXPECT_THAT(room.uses, ElementsAre(idle.last_used));
  slots_->SetBeside(30);
  EXPECT_THAT(slots_->ReserveBeside(30, {}).status, IsOk());
  EXPECT_THAT(WorkAll(), IsEmpty()) << "a was used later and stays";
}

TEST_F(ModelSlotsTest, ForAModelOthersInUseLeaveOnceTheyAreDone) {
  MakeReady("a");
  MakeReady("b");
  ASSERT_TRUE(slots_->Hold("a"));
  ASSERT_TRUE(slots_->Hold("b"));
  EXPECT_EQ(slots_->MostBeside("a"), 100 - kModelBytes - kActivationBytes);
  EXPECT_THAT(slots_->ReserveBeside(50, {}, "a").status,
              StatusIs(absl::StatusCode::kUnavailable, ""));
  EXPECT_FALSE(slots_->Leaving("a"));
  EXPECT_TRUE(slots_->Leaving("b"));
  EXPECT_EQ(Work(), "") << "b is in use";
  slots_->Release("b");
  EXPECT_EQ(Work(), "free b");
  EXPECT_THAT(slots_->ReserveBeside(50, {}, "a").status, IsOk());
}

TEST_F(ModelSlotsTest, ARemovedModelLeavesAndIsUnknown) {
  MakeReady("a");
  ASSERT_TRUE(slots_->Hold("a"));
  Tell(slots_->Remove("a"));
  EXPECT_FALSE(slots_->Hold("a"));
  EXPECT_EQ(ErrorReason(slots_->Failure("a")), "MODEL_NOT_FOUND");
  EXPECT_EQ(ErrorReason(Load("a")->status), "MODEL_NOT_FOUND");
  slots_->Request("a");
  EXPECT_EQ(Work(), "") << "its job is not done";
  slots_->Release("a");
  EXPECT_EQ(Work(), "free a");
  EXPECT_EQ(Work(), "");
  EXPECT_EQ(ErrorReason(slots_->Failure("a")), "MODEL_NOT_FOUND");
  slots_->Add({"a", "/a"});
  EXPECT_THAT(WorkAll(), ElementsAre("load a")) << "its files came back";
}

TEST_F(ModelSlotsTest, AModelOfOtherFilesTakesItsPlaceOnceNobodyPaints) {
  MakeReady("a");
  ASSERT_TRUE(slots_->Hold("a"));
  slots_->Add({"a", "/a"});
  EXPECT_EQ(Work(), "") << "the same files";
  slots_->Add({"a", "/a2"});
  EXPECT_FALSE(slots_->Hold("a")) << "new jobs wait for the new files";
  EXPECT_EQ(Work(), "") << "an old one paints";
  const auto heard = Load("a");
  slots_->Release("a");
  EXPECT_EQ(Work(), "free a");
  EXPECT_EQ(Work(), "size a");
  const auto task = slots_->Next();
  ASSERT_TRUE(task.has_value());
  EXPECT_EQ(task->files.path, "/a2");
  slots_->Loaded("a");
  Measure();
  EXPECT_EQ(heard->times, 1);
  EXPECT_THAT(heard->status, IsOk());
}

TEST_F(ModelSlotsTest, AModelOfOtherFilesWhileItLoadsIsLoadedAnew) {
  slots_->Request("a");
  EXPECT_EQ(Work(), "size a");
  ASSERT_EQ(slots_->Next()->kind, Kind::kLoad);
  slots_->Add({"a", "/a2"});
  slots_->Loaded("a");
  EXPECT_THAT(WorkAll(), ElementsAre("free a", "load a"));
}

TEST_F(ModelSlotsTest, AModelRemovedWhileItComesIsNotKept) {
  const auto load = Load("a");
  Tell(slots_->Remove("a"));
  EXPECT_EQ(ErrorReason(load->status), "MODEL_NOT_FOUND");
  slots_->Sized("a", 1);  // it was being read
  EXPECT_EQ(Work(), "");
  slots_->Request("b");
  EXPECT_EQ(Work(), "size b");
  ASSERT_EQ(slots_->Next()->kind, Kind::kLoad);
  Tell(slots_->Remove("b"));
  slots_->Loaded("b");
  EXPECT_EQ(Work(), "free b");
  EXPECT_EQ(ErrorReason(slots_->Failure("b")), "MODEL_NOT_FOUND");
}

}  // namespace
}  // namespace genzo
