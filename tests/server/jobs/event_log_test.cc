#include "server/jobs/event_log.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using v1::JobEvent;

class EventLogTest : public ::testing::Test {
 protected:
  EventLogTest() { log_->AddReader(kReader, 0, {}, now_); }

  void Add(JobEvent event) {
    event.set_sequence(++sequence_);
    log_->Add(std::move(event), now_);
  }
  void AddPreview(int image_index) {
    JobEvent event;
    event.mutable_preview()->set_image_index(image_index);
    event.mutable_preview()->mutable_picture()->set_data("picture");
    Add(std::move(event));
  }
  void AddImage() {
    JobEvent event;
    event.mutable_image()->mutable_picture()->set_data("picture");
    Add(std::move(event));
  }
  // Sequences of what is held.
  std::vector<uint64_t> Held() const {
    std::vector<uint64_t> held;
    for (const EventRef& event : log_->events()) {
      held.push_back(event->sequence());
    }
    return held;
  }
  uint64_t Next() { return log_->Next(kReader, now_)->sequence(); }
  double Bytes() { return metrics_.undelivered_bytes().Value(); }

  static constexpr int64_t kReader = 1;
  const absl::Time now_ = absl::FromUnixSeconds(1000);
  Metrics metrics_;
  HeldBytes held_{DeliveryLimits(), metrics_};
  std::optional<EventLog> log_{std::in_place, JobFile{.tenant = "t"}, now_,
                               held_, metrics_};
  uint64_t sequence_ = 0;
};

TEST_F(EventLogTest, APreviewTakesThePlaceOfItsImagesLast) {
  AddPreview(0);
  AddPreview(1);
  AddPreview(0);
  EXPECT_THAT(Held(), ElementsAre(2, 3));
  EXPECT_EQ(metrics_.previews_dropped().Value(), 1);
  EXPECT_EQ(Bytes(), 14);
}

TEST_F(EventLogTest, WhatIsBeingDeliveredStays) {
  AddPreview(0);
  EXPECT_EQ(Next(), 1u);
  AddPreview(0);
  EXPECT_THAT(Held(), ElementsAre(1, 2));
  EXPECT_EQ(Next(), 2u);
  EXPECT_THAT(Held(), ElementsAre(2));
}

TEST_F(EventLogTest, HoldsWhatOneOfItsReadersHasNotHad) {
  constexpr int64_t kOther = 2;
  AddImage();
  log_->AddReader(kOther, 0, {}, now_);
  Next();
  EXPECT_EQ(log_->Next(kReader, now_), nullptr);
  EXPECT_THAT(Held(), ElementsAre(1));
  log_->RemoveReader(kOther);
  EXPECT_THAT(Held(), ElementsAre());
}

TEST_F(EventLogTest, AnEndThatCutsItOffComesAfterAllThatWas) {
  AddImage();
  AddImage();
  EXPECT_EQ(Next(), 1u);
  log_->CutOff(absl::InternalError("why"), now_);
  EXPECT_THAT(Held(), ElementsAre(1, 3));
  EXPECT_EQ(Next(), 3u);
  EXPECT_TRUE(log_->is_hidden());
  EXPECT_EQ(log_->ended(), now_);
}

TEST_F(EventLogTest, CanFreeWhatNobodyIsJustBeingGiven) {
  EXPECT_FALSE(log_->CanFree());
  AddImage();
  EXPECT_TRUE(log_->CanFree());
  Next();
  EXPECT_FALSE(log_->CanFree());
}

TEST_F(EventLogTest, ReadersAreGivenUpOnce) {
  AddImage();
  Calls calls;
  log_->GiveUpReaders(now_, calls);
  EXPECT_EQ(calls.size(), 0u) << "nothing waits for it to take";
  Next();
  log_->GiveUpReaders(now_ - absl::Nanoseconds(1), calls);
  EXPECT_EQ(calls.size(), 0u) << "it took something later";
  log_->GiveUpReaders(now_, calls);
  log_->GiveUpReaders(now_, calls);
  EXPECT_EQ(calls.size(), 1u);
  EXPECT_EQ(metrics_.slow_readers().Value(), 1);
}

TEST_F(EventLogTest, GivesItsBytesBackWithItsEnd) {
  AddImage();
  EXPECT_EQ(Bytes(), 7);
  log_.reset();
  EXPECT_EQ(Bytes(), 0);
}

}  // namespace
}  // namespace genzo
