#include "queue/event_mailbox.h"

#include <atomic>

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using internal::v1::JobEvent;

JobEvent Preview(int image_index, int step) {
  JobEvent event;
  auto* preview = event.mutable_response()->mutable_preview();
  preview->set_image_index(image_index);
  preview->set_step(step);
  return event;
}

JobEvent Image(int image_index) {
  JobEvent event;
  event.mutable_response()->mutable_image()->set_image_index(image_index);
  return event;
}

JobEvent Failed() {
  JobEvent event;
  event.mutable_failed()->set_code(13);
  return event;
}

TEST(EventMailboxTest, GivesEventsInOrder) {
  EventMailbox mailbox;
  mailbox.Post(Preview(0, 1));
  mailbox.Post(Image(0));
  EXPECT_TRUE(mailbox.Take()->response().has_preview());
  EXPECT_TRUE(mailbox.Take()->response().has_image());
  EXPECT_FALSE(mailbox.Take().has_value());
}

TEST(EventMailboxTest, KeepsTheLatestPreviewOfEachImage) {
  EventMailbox mailbox;
  mailbox.Post(Preview(0, 1));
  mailbox.Post(Preview(1, 1));
  mailbox.Post(Preview(0, 2));
  EXPECT_EQ(mailbox.Take()->response().preview().image_index(), 1u);
  EXPECT_EQ(mailbox.Take()->response().preview().step(), 2u);
  EXPECT_FALSE(mailbox.Take().has_value());
  EXPECT_EQ(mailbox.dropped_previews(), 1);
}

TEST(EventMailboxTest, NeverLosesAnImage) {
  EventMailbox mailbox;
  for (int i = 0; i < 3; ++i) {
    for (int step = 0; step < 100; ++step) mailbox.Post(Preview(i, step));
    mailbox.Post(Image(i));
  }
  int images = 0;
  int events = 0;
  while (const auto event = mailbox.Take()) {
    ++events;
    images += event->response().has_image() ? 1 : 0;
  }
  EXPECT_EQ(images, 3);
  EXPECT_EQ(events, 6);
}

TEST(EventMailboxTest, IgnoresEventsAfterTheLast) {
  EventMailbox mailbox;
  mailbox.Post(Failed());
  mailbox.Post(Image(0));
  mailbox.Post(Failed());
  EXPECT_TRUE(mailbox.Take()->has_failed());
  EXPECT_FALSE(mailbox.Take().has_value());
}

TEST(EventMailboxTest, TellsItsListener) {
  EventMailbox mailbox;
  mailbox.Post(Image(0));
  std::atomic<int> calls{0};
  mailbox.SetListener([&] { ++calls; });
  EXPECT_EQ(calls, 1) << "events waited already";
  mailbox.Post(Image(1));
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace genzo
