// Who makes room for whom.

#include "base/errors.h"
#include "tests/testing/matchers.h"
#include "tests/worker/residency/model_slots_fixture.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = ModelSlots::Task::Kind;

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

// All three are of one encoder of 30 bytes.
TEST_F(ModelSlotsTest, APartThatModelsShareIsChargedOnce) {
  for (auto& [id, bytes] : bytes_) bytes.shared["encoder"] = 30;
  for (const char* id : {"a", "b", "c"}) MakeReady(id);
  EXPECT_THAT(slots_->ReadyIds(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(slots_->BytesLeft("a"), 100 - (30 + 3 * 10));
  Unload("a");
  Unload("b");
  WorkAll();
  EXPECT_EQ(slots_->BytesLeft("c"), 100 - kModelBytes) << "c holds it still";
  Unload("c");
  WorkAll();
  EXPECT_EQ(slots_->BytesLeft("c"), 100) << "it went with the last";
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

}  // namespace
}  // namespace genzo
