#include <random>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "tests/testing/matchers.h"
#include "tests/worker/residency/model_slots_fixture.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Kind = ModelSlots::Task::Kind;

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
  const auto task = slots_->Next();
  ASSERT_EQ(task->kind, Kind::kLoad);
  Tell(slots_->Failed(*task, absl::DataLossError("a is torn")));
  EXPECT_EQ(ErrorReason(load->status), "MODEL_FAILED");
  EXPECT_THAT(slots_->Failure("a"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "torn"));
  Load("a");
  EXPECT_THAT(slots_->Failure("a"), IsOk());
}

TEST_F(ModelSlotsTest, NobodyWaitsForADeviceThatIsOut) {
  const auto before = Load("a");
  EXPECT_EQ(before->times, 0);
  Tell(slots_->RefuseLoads(absl::UnavailableError("it is out")));
  EXPECT_EQ(before->times, 1);
  EXPECT_THAT(before->status,
              StatusIs(absl::StatusCode::kUnavailable, "it is out"));
  EXPECT_THAT(Load("b")->status,
              StatusIs(absl::StatusCode::kUnavailable, "it is out"));
  EXPECT_THAT(WorkAll(), IsEmpty());
  Tell(slots_->RefuseLoads(absl::OkStatus()));
  EXPECT_THAT(WorkAll(), ElementsAre("load a", "load b")) << "orders stand";
  Measure();
  EXPECT_THAT(Load("a")->status, IsOk());
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
  broken_ = {"/1"};
  for (int seed = 0; seed < 300; ++seed) {
    Make(seed % 2 == 0 ? 90 : 130);
    std::mt19937 random(seed);
    const auto id = [&] { return std::string(1, 'a' + random() % 3); };
    std::vector<HeardRef> calls;
    std::vector<std::string> held;
    std::set<std::string> measuring;
    for (int i = 0; i < 120; ++i) {
      switch (random() % 12) {
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
        case 7:
          slots_->Add({id(), absl::StrCat("/", random() % 4)},
                      /*only_if_room=*/random() % 2 == 0);
          break;
        case 8:
          if (random() % 4 == 0) Tell(slots_->Remove(id()));
          break;
        default:
          if (random() % 4 == 0) {
            const auto task = slots_->Next();
            // Calls come while the thread is at work.
            if (task.has_value() && task->kind == Kind::kLoad) {
              calls.push_back(random() % 2 == 0 ? Unload(task->id)
                                                : Load(task->id));
              if (random() % 4 == 0) {
                Tell(slots_->Failed(*task, absl::DataLossError("seeded")));
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
    EXPECT_FALSE(slots_->UnderWay()) << "seed " << seed;
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
  EXPECT_EQ(Work(), "vet a");
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

TEST_F(ModelSlotsTest, BrokenFilesDoNotTakeThePlaceOfAModel) {
  broken_ = {"/a2"};
  MakeReady("a");
  slots_->Add({"a", "/a2"});
  EXPECT_THAT(WorkAll(), ElementsAre("vet a"));
  EXPECT_THAT(slots_->NewerFailure("a"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "/a2 is torn"));
  EXPECT_THAT(Load("a")->status, IsOk()) << "it is there";
  MakeReady("b");
  MakeReady("c");
  ASSERT_EQ(slots_->ReadyIds().count("a"), 0) << "it made room";
  MakeReady("a");
  EXPECT_THAT(slots_->NewerFailure("a"), Not(IsOk())) << "and is back";

  Unload("a");
  const auto load = Load("a");
  WorkAll();
  EXPECT_THAT(load->status,
              StatusIs(absl::StatusCode::kFailedPrecondition, "/a2 is torn"))
      << "told to go, it comes back as it was last named";
  broken_.clear();
  slots_->Add({"a", "/a2"});
  EXPECT_THAT(WorkAll(), ElementsAre("load a")) << "mended";
  EXPECT_THAT(slots_->NewerFailure("a"), IsOk());
}

TEST_F(ModelSlotsTest, RefusedFilesAreNotTriedWhenTheModelCannotBeMeasured) {
  broken_ = {"/a2"};
  MakeReady("a");
  slots_->Add({"a", "/a2"});
  WorkAll();
  MakeReady("b");
  MakeReady("c");
  const auto load = Load("a");
  WorkAll();
  ASSERT_THAT(slots_->TakeNews(), ElementsAre("a"));
  Tell(slots_->Reject("a", absl::InternalError("no memory")));
  slots_->Release("a");
  EXPECT_EQ(load->times, 1);
  EXPECT_THAT(WorkAll(), ElementsAre("free a"));
}

TEST_F(ModelSlotsTest, AModelToldToGoDuringTheVettingComesBackWithItsNewFiles) {
  MakeReady("a");
  slots_->Add({"a", "/a2"});
  const auto task = slots_->Next();
  ASSERT_EQ(task->kind, Kind::kVet);
  Unload("a");
  slots_->Vetted(*task, absl::DataLossError("torn"));
  Load("a");
  EXPECT_EQ(Work(), "free a");
  EXPECT_EQ(Work(), "size a");
  EXPECT_EQ(slots_->Next()->files.path, "/a2");
}

TEST_F(ModelSlotsTest, AModelThatMakesRoomBeforeTheVettingKeepsItsFiles) {
  MakeReady("a");
  slots_->Add({"a", "/a2"});
  slots_->ReserveBeside(70, {});
  EXPECT_THAT(WorkAll(), ElementsAre("free a"));
  slots_->Request("a");
  EXPECT_EQ(Work(), "size a");
  EXPECT_EQ(slots_->Next()->files.path, "/a");
}

TEST_F(ModelSlotsTest, ALoadHasRefusedFilesVettedAgain) {
  broken_ = {"/a2"};
  MakeReady("a");
  slots_->Add({"a", "/a2"});
  EXPECT_THAT(WorkAll(), ElementsAre("vet a"));
  broken_.clear();
  EXPECT_EQ(Load("a")->times, 1);
  EXPECT_THAT(WorkAll(), ElementsAre("vet a", "free a", "load a"));
}

TEST_F(ModelSlotsTest, FilesThatCannotFitDoNotTakeThePlaceOfAModel) {
  MakeReady("a");
  Load("b", /*pinned=*/true);
  WorkAll();
  Measure();
  bytes_["a"] = 57;  // with its activations one too many
  slots_->Add({"a", "/a2"});
  EXPECT_THAT(WorkAll(), ElementsAre("vet a"));
  EXPECT_TRUE(slots_->Hold("a"));
  EXPECT_EQ(ErrorReason(slots_->NewerFailure("a")), "DOES_NOT_FIT");
  Unload("b");
  EXPECT_THAT(WorkAll(), ElementsAre("free b", "vet a")) << "now they do";
  slots_->Release("a");
  EXPECT_THAT(WorkAll(), ElementsAre("free a", "load a"));
}

TEST_F(ModelSlotsTest, NewFilesAreTriedThoughThoseBeforeThemFail) {
  const auto sized = Load("a");
  auto task = slots_->Next();
  ASSERT_EQ(task->kind, Kind::kSize);
  slots_->Add({"a", "/a2"});
  Tell(slots_->Failed(*task, absl::DataLossError("of the old")));
  EXPECT_EQ(sized->times, 0);

  EXPECT_EQ(Work(), "size a");
  task = slots_->Next();
  ASSERT_EQ(task->kind, Kind::kLoad);
  slots_->Add({"a", "/a3"});
  Tell(slots_->Failed(*task, absl::DataLossError("of the old")));
  EXPECT_EQ(sized->times, 0);

  EXPECT_THAT(WorkAll(), ElementsAre("load a"));
  ASSERT_THAT(slots_->TakeNews(), ElementsAre("a"));
  slots_->Add({"a", "/a4"});
  Tell(slots_->Reject("a", absl::InternalError("of the old")));
  slots_->Release("a");
  EXPECT_THAT(WorkAll(), ElementsAre("free a", "load a"));
  Measure();
  EXPECT_EQ(sized->times, 1);
  EXPECT_THAT(sized->status, IsOk());
}

// Of a folder with more models than there is room for.
class UnaskedModelSlotsTest : public ModelSlotsTest {
 protected:
  void Add(const std::string& id, const std::string& path) {
    bytes_[id] = kModelBytes;
    slots_->Add({id, path}, /*only_if_room=*/true);
  }
  // There is no room for "d", which is being described.
  ModelSlots::Task BeginToDescribe() {
    MakeReady("a");
    MakeReady("b");
    Add("d", "/d");
    EXPECT_EQ(Work(), "size d");
    const auto task = slots_->Next();
    EXPECT_EQ(task->kind, Kind::kDescribe);
    return *task;
  }
};

TEST_F(UnaskedModelSlotsTest, WhatHasNoRoomIsDescribedAndComesWhenAskedFor) {
  for (const char* id : {"d", "e", "f"}) Add(id, absl::StrCat("/", id));
  EXPECT_THAT(WorkAll(), ElementsAre("load d", "load e", "describe f"));
  Measure();
  EXPECT_FALSE(slots_->UnderWay());
  EXPECT_THAT(slots_->Failure("f"), IsOk());
  EXPECT_THAT(slots_->ReadyIds(), ElementsAre("d", "e"));
  slots_->Request("f");
  EXPECT_THAT(WorkAll(), ElementsAre("free d", "load f"));
}

TEST_F(UnaskedModelSlotsTest, OneThatIsAskedForMeanwhileIsLoaded) {
  const ModelSlots::Task task = BeginToDescribe();
  const auto load = Load("d");
  slots_->Described(task);
  EXPECT_THAT(WorkAll(), ElementsAre("free a", "load d"));
  Measure();
  EXPECT_EQ(load->times, 1);
  EXPECT_THAT(load->status, IsOk());
}

TEST_F(UnaskedModelSlotsTest, AnOrderStaysOneThoughTheFilesChange) {
  MakeReady("a");
  MakeReady("b");
  Add("d", "/d");
  slots_->Request("d");
  Add("d", "/d2");
  EXPECT_THAT(WorkAll(), ElementsAre("free a", "load d"));
}

TEST_F(UnaskedModelSlotsTest, OneThatCannotBeDescribedFails) {
  const ModelSlots::Task task = BeginToDescribe();
  Tell(slots_->Failed(task, absl::DataLossError("it is torn")));
  EXPECT_FALSE(slots_->UnderWay());
  EXPECT_THAT(slots_->Failure("d"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "it is torn"));
}

TEST_F(UnaskedModelSlotsTest, OtherFilesAreDescribedAnew) {
  const ModelSlots::Task task = BeginToDescribe();
  Add("d", "/d2");
  slots_->Described(task);
  EXPECT_TRUE(slots_->UnderWay());
  EXPECT_THAT(WorkAll(), ElementsAre("describe d"));
  Tell(slots_->Remove("d"));
  slots_->Described(task);
  EXPECT_EQ(ErrorReason(slots_->Failure("d")), "MODEL_NOT_FOUND");
}

TEST_F(UnaskedModelSlotsTest, OneThatCanNeverFitFails) {
  Add("d", "/d");
  bytes_["d"] = 101;
  EXPECT_THAT(WorkAll(), ElementsAre("refuse d"));
  EXPECT_EQ(ErrorReason(slots_->Failure("d")), "DOES_NOT_FIT");
}

TEST_F(ModelSlotsTest, AModelRemovedWhileItComesIsNotKept) {
  const auto load = Load("a");
  Tell(slots_->Remove("a"));
  EXPECT_EQ(ErrorReason(load->status), "MODEL_NOT_FOUND");
  slots_->Sized({.id = "a", .files = "/a"}, 1);  // it was being read
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
