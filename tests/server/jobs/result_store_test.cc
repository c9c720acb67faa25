#include "server/jobs/result_store.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/durable_file.h"
#include "base/proto_time.h"
#include "gmock/gmock.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kMuch = 1 << 30;

internal::v1::KeptJob EndedJob(const std::string& id, int ended) {
  internal::v1::KeptJob job;
  job.set_tenant("t");
  job.mutable_job()->set_id(id);
  job.mutable_job()->mutable_end_time()->set_seconds(ended);
  return job;
}

std::vector<EventRef> Picture(char letter, size_t bytes) {
  v1::JobEvent event;
  event.set_sequence(7);
  event.mutable_image()->mutable_picture()->set_data(
      std::string(bytes, letter));
  return {std::make_shared<const v1::JobEvent>(event)};
}

std::unique_ptr<ResultStore> OpenStore(const TestFolder& folder,
                                       int64_t most_bytes = kMuch) {
  auto store = ResultStore::Open(folder.path() + "/results", most_bytes);
  EXPECT_THAT(store, IsOk());
  return *std::move(store);
}

TEST(ResultStoreTest, FindsWhatAnotherLeft) {
  const TestFolder folder;
  EXPECT_THAT(OpenStore(folder)->Write(EndedJob("a", 1), Picture('x', 10)),
              IsOk());
  auto store = OpenStore(folder);
  const auto found = store->TakeFound();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].job().id(), "a");
  EXPECT_TRUE(store->TakeFound().empty()) << "it holds them no longer";
  const auto events = store->Read("a");
  ASSERT_THAT(events, IsOk());
  ASSERT_EQ(events->size(), 1u);
  EXPECT_EQ((*events)[0]->image().picture().data(), std::string(10, 'x'));
  EXPECT_EQ((*events)[0]->sequence(), 7u);
  store->Remove({"a"});
  EXPECT_THAT(store->Read("a"), StatusIs(absl::StatusCode::kNotFound, "a"));
  store.reset();
  EXPECT_TRUE(OpenStore(folder)->TakeFound().empty());
}

TEST(ResultStoreTest, BeyondItsBytesTheFirstThatEndedLeave) {
  const TestFolder folder;
  auto store = OpenStore(folder, /*most_bytes=*/2500);
  EXPECT_TRUE(store->Write(EndedJob("b", 2), Picture('b', 1000))->empty());
  EXPECT_TRUE(store->Write(EndedJob("a", 1), Picture('a', 1000))->empty());
  // One that has not ended does not count, and is not removed.
  internal::v1::KeptJob live;
  live.mutable_job()->set_id("live");
  EXPECT_TRUE(store->Write(live, Picture('l', 1000))->empty());
  EXPECT_EQ(*store->Write(EndedJob("c", 3), Picture('c', 1000)),
            std::vector<std::string>{"a"});
  EXPECT_THAT(store->Read("a"), StatusIs(absl::StatusCode::kNotFound, "a"));
  EXPECT_THAT(store->Read("b"), IsOk());
  EXPECT_THAT(store->Read("live"), IsOk());
  // What an earlier server left counts too.
  store.reset();
  EXPECT_EQ(
      *OpenStore(folder, 2500)->Write(EndedJob("d", 4), Picture('d', 1000)),
      std::vector<std::string>{"b"});
}

TEST(ResultStoreTest, AJobIsNotedBeforeItsFileGoesOrOnceThatHasMadeRoom) {
  const TestFolder folder;
  const std::string path = folder.path() + "/results";
  std::vector<std::string> calls;
  const auto leaving = [&](const std::vector<internal::v1::KeptJob>& jobs) {
    std::string ids;
    bool is_there = false;
    for (const internal::v1::KeptJob& job : jobs) {
      const std::string& id = job.job().id();
      is_there |= std::filesystem::exists(path + "/" + id + ".job");
      ids += id + " ";
    }
    calls.push_back(ids + (is_there ? "there" : "gone"));
    return ids == "full " && is_there ? absl::UnavailableError("full")
                                      : absl::OkStatus();
  };
  const auto store = *ResultStore::Open(path, /*most_bytes=*/2500, leaving);
  EXPECT_THAT(store->Write(EndedJob("a", 1), Picture('a', 2000)), IsOk());
  EXPECT_THAT(store->Write(EndedJob("full", 2), Picture('b', 2000)), IsOk());
  store->Remove({"full"});
  store->Remove({"unknown"});
  internal::v1::KeptJob live;
  live.mutable_job()->set_id("live");
  EXPECT_THAT(store->Write(live, {}), IsOk());
  store->Remove({"live"});
  EXPECT_THAT(calls, ElementsAre("a there", "full there", "full gone"));
  // All that go at once are noted at once.
  calls.clear();
  EXPECT_THAT(store->Write(EndedJob("b", 3), Picture('b', 800)), IsOk());
  EXPECT_THAT(store->Write(EndedJob("c", 4), Picture('c', 800)), IsOk());
  EXPECT_THAT(store->Write(EndedJob("d", 5), Picture('d', 2000)), IsOk());
  EXPECT_THAT(store->Write(EndedJob("e", 6), Picture('e', 100)), IsOk());
  store->Remove({"d", "unknown", "e"});
  EXPECT_THAT(calls, ElementsAre("b c there", "d e there"));
}

TEST(ResultStoreTest, DamageIsSeen) {
  const TestFolder folder;
  ASSERT_THAT(OpenStore(folder)->Write(EndedJob("a", 1), Picture('x', 1000)),
              IsOk());
  const std::string path = folder.path() + "/results/a.job";
  std::string bytes = ReadFile(path);
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_THAT(WriteDurably(path, bytes), IsOk());
  EXPECT_THAT(OpenStore(folder)->Read("a"),
              StatusIs(absl::StatusCode::kDataLoss, "a.job is damaged"));
  ASSERT_THAT(WriteDurably(path, bytes.substr(0, 5)), IsOk());
  EXPECT_TRUE(OpenStore(folder)->TakeFound().empty());
}

TEST(ResultStoreTest, AFolderThatCannotBeUsedIsRefused) {
  const TestFolder folder;
  const std::string file = folder.Write("file", "x");
  EXPECT_THAT(ResultStore::Open(file, kMuch),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       "jobs.results_folder " + file));
}

TEST(ResultStoreTest, AFolderIsOfOneServer) {
  const TestFolder folder;
  const std::string path = folder.path() + "/results";
  {
    const auto store = OpenStore(folder);
    EXPECT_THAT(ResultStore::Open(path, kMuch),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         path + " is in use by another server"));
    EXPECT_FALSE(std::filesystem::exists(path + "/.ended-cleanly"))
        << "which goes on";
  }
  EXPECT_TRUE(std::filesystem::exists(path + "/.ended-cleanly"));
}

// `restarts` of the only job as the next server finds it.
uint32_t RestartsFound(const TestFolder& folder) {
  const auto found = OpenStore(folder)->TakeFound();
  EXPECT_EQ(found.size(), 1u);
  return found.empty() ? 99 : found[0].restarts();
}

TEST(ResultStoreTest, CountsServersThatDiedAfterAJobHadBegun) {
  const TestFolder folder;
  const std::string word = folder.path() + "/results/" + ResultStore::kCleanEnd;
  internal::v1::KeptJob job;
  job.mutable_job()->set_id("a");
  const auto write = [&](uint32_t restarts, bool has_begun) {
    const auto store = OpenStore(folder);
    store->TakeFound();
    job.set_restarts(restarts);
    EXPECT_THAT(store->Write(job, {}), IsOk());
    store->MarkBegun("a", has_begun);
  };
  write(0, /*has_begun=*/false);
  std::filesystem::remove(word);
  EXPECT_EQ(RestartsFound(folder), 0u) << "it only waited";

  write(0, /*has_begun=*/true);
  std::filesystem::remove(word);
  EXPECT_EQ(RestartsFound(folder), 1u);
  // That one found it and died before it had written the count.
  std::filesystem::remove(word);
  EXPECT_EQ(RestartsFound(folder), 1u);

  write(1, /*has_begun=*/false);
  std::filesystem::remove(word);
  EXPECT_EQ(RestartsFound(folder), 1u);

  write(1, /*has_begun=*/true);
  EXPECT_EQ(RestartsFound(folder), 1u) << "the server ended as it should";
  std::filesystem::remove(word);
  EXPECT_EQ(RestartsFound(folder), 1u) << "and the mark went with it";
}

TEST(ResultStoreTest, AServerThatIsToldToEndAtOnceHasNotDied) {
  const TestFolder folder;
  const std::string path = folder.path() + "/results";
  ResultStore::NoteCleanEnd(path);
  EXPECT_FALSE(std::filesystem::exists(path)) << "there are no results";
  internal::v1::KeptJob job;
  job.mutable_job()->set_id("a");
  {
    const auto store = OpenStore(folder);
    ASSERT_THAT(store->Write(job, {}), IsOk());
    store->MarkBegun("a", true);
  }
  std::filesystem::remove(path + "/" + ResultStore::kCleanEnd);
  ResultStore::NoteCleanEnd(path);
  EXPECT_EQ(RestartsFound(folder), 0u);
}

TEST(ResultStoreTest, AMarkGoesWithItsJob) {
  const TestFolder folder;
  const auto store = OpenStore(folder);
  const std::string mark = folder.path() + "/results/a.begun";
  store->MarkBegun("a", true);
  EXPECT_FALSE(std::filesystem::exists(mark)) << "the job is not kept";
  internal::v1::KeptJob job;
  job.mutable_job()->set_id("a");
  for (const bool ends : {true, false}) {
    ASSERT_THAT(store->Write(job, {}), IsOk());
    store->MarkBegun("a", true);
    EXPECT_TRUE(std::filesystem::exists(mark));
    if (ends) {
      EXPECT_THAT(store->Write(EndedJob("a", 1), {}), IsOk());
    } else {
      store->Remove({"a"});
    }
    EXPECT_FALSE(std::filesystem::exists(mark));
  }
}

TEST(ResultStoreTest, ChangesTheRightsOfNoFolderButItsOwn) {
  using std::filesystem::perms;
  const TestFolder folder;
  const std::string path = folder.path() + "/results";
  const auto rights = [&] {
    return std::filesystem::status(path).permissions();
  };
  OpenStore(folder);
  EXPECT_EQ(rights(), perms::owner_all);
  const perms shared = perms::owner_all | perms::group_all | perms::others_read;
  std::filesystem::permissions(path, shared);
  OpenStore(folder);
  EXPECT_EQ(rights(), shared);
}

TEST(ResultStoreTest, WhatCannotBeWrittenLeavesWhatWasThere) {
  const TestFolder folder;
  const auto store = OpenStore(folder);
  ASSERT_THAT(store->Write(EndedJob("a", 1), Picture('x', 10)), IsOk());
  // Nothing can be written under this name.
  const std::string unfinished =
      folder.path() + "/results/a.job" + kUnfinishedSuffix;
  std::filesystem::create_directory(unfinished);
  EXPECT_THAT(store->Write(EndedJob("a", 1), Picture('y', 10)),
              StatusIs(absl::StatusCode::kUnavailable, "cannot be written"));
  EXPECT_EQ((*store->Read("a"))[0]->image().picture().data(),
            std::string(10, 'x'));
}

// Writes until it is killed; after each job, a byte goes to `told`.
[[noreturn]] void WriteForEver(const std::string& folder, int told) {
  auto store = ResultStore::Open(folder, kMuch);
  for (int i = 0;; ++i) {
    const char letter = static_cast<char>('a' + i % 26);
    const std::string id = "job" + std::to_string(i % 5);
    const bool ok =
        (*store)->Write(EndedJob(id, i), Picture(letter, 300'000)).ok();
    if (!ok || write(told, &letter, 1) != 1) _exit(1);
  }
}

TEST(ResultStoreTest, IsWholeWhereverItsProcessWasKilled) {
  const TestFolder folder;
  const std::string path = folder.path() + "/results";
  for (int round = 1; round <= 12; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) WriteForEver(path, ends[1]);
    close(ends[1]);
    std::string told(round, ' ');
    for (char& letter : told) ASSERT_EQ(read(ends[0], &letter, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    // It may have told more before it died.
    for (char letter; read(ends[0], &letter, 1) == 1;) told += letter;
    close(ends[0]);

    const auto store = ResultStore::Open(path, kMuch);
    ASSERT_THAT(store, IsOk());
    const int jobs = std::min<int>(5, told.size());
    const auto found = (*store)->TakeFound();
    EXPECT_GE(static_cast<int>(found.size()), jobs);
    for (const internal::v1::KeptJob& job : found) {
      const auto events = (*store)->Read(job.job().id());
      ASSERT_THAT(events, IsOk());
      const std::string& data = (*events)[0]->image().picture().data();
      EXPECT_EQ(data, std::string(300'000, data[0]));
      // The last that it told of this job, or the one that it was writing.
      EXPECT_EQ(data[0], 'a' + job.job().end_time().seconds() % 26);
    }
    for (const auto& file : std::filesystem::directory_iterator(path)) {
      EXPECT_EQ(file.path().extension(), ".job");
    }
    std::filesystem::remove_all(path);
  }
}

}  // namespace
}  // namespace genzo
