#include "worker/threads/team_pool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace genzo {
namespace {

void RunTeam(int members, const std::function<void()>& work) {
  TeamPool::Get().Run(
      [](void* argument) {
        (*static_cast<const std::function<void()>*>(argument))();
      },
      const_cast<std::function<void()>*>(&work), members);
}

TEST(TeamPoolTest, EveryMemberWorksOnce) {
  for (int round = 0; round < 1000; ++round) {
    std::vector<std::atomic<int>> calls(7);
    RunTeam(7, [&] {
      EXPECT_EQ(Team::Current().members(), 7);
      ++calls[Team::CurrentMember()];
    });
    for (const auto& count : calls) ASSERT_EQ(count, 1);
  }
  EXPECT_EQ(Team::Current().members(), 1) << "outside again";
}

TEST(TeamPoolTest, ATeamInATeamIsOne) {
  std::atomic<int> inner{0};
  RunTeam(3, [&] {
    const int member = Team::CurrentMember();
    RunTeam(4, [&] {
      EXPECT_EQ(Team::Current().members(), 1);
      EXPECT_EQ(Team::CurrentMember(), 0);
      ++inner;
    });
    EXPECT_EQ(Team::CurrentMember(), member);
    EXPECT_EQ(Team::Current().members(), 3);
  });
  EXPECT_EQ(inner, 3);
}

TEST(TeamPoolTest, ATeamOfOneInATeamHasNoOthersInIt) {
  std::atomic<int> innermost{0};
  RunTeam(2, [&] {
    RunTeam(1, [&] {
      EXPECT_TRUE(Team::AtWork());
      RunTeam(4, [&] {
        EXPECT_EQ(Team::Current().members(), 1);
        Team::Current().Barrier();
        ++innermost;
      });
    });
  });
  EXPECT_EQ(innermost, 2);
  EXPECT_FALSE(Team::AtWork());
}

TEST(TeamPoolTest, AForksChildHasHelpersOfItsOwn) {
  RunTeam(3, [] { Team::Current().Barrier(); });
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // or it would hang
    RunTeam(3, [] { Team::Current().Barrier(); });
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// The helpers are kept busy by a first team; a second one is done all the same.
TEST(TeamPoolTest, WhoBroughtTheWorkDoesWhatNobodyTakes) {
  constexpr int kMany = 16;  // more than other tests had
  std::atomic<bool> release{false};
  std::atomic<int> busy{0};
  std::thread first([&] {
    RunTeam(kMany, [&] {
      ++busy;
      while (!release) std::this_thread::yield();
    });
  });
  while (busy < kMany) std::this_thread::yield();
  std::vector<int> order;
  const std::thread::id caller = std::this_thread::get_id();
  RunTeam(2, [&] {
    if (std::this_thread::get_id() == caller) {
      order.push_back(Team::CurrentMember());
    }
  });
  release = true;
  first.join();
  ASSERT_FALSE(order.empty());
  EXPECT_EQ(order[0], 0);
}

// All members run at once, however many teams there are: a barrier of one does
// not wait for a helper that waits at another's.
TEST(TeamPoolTest, BarriersOfManyTeamsDoNotLockEachOtherUp) {
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        constexpr int kMembers = 5;
        std::atomic<int> arrived{0};
        RunTeam(kMembers, [&] {
          for (int phase = 1; phase <= 3; ++phase) {
            ++arrived;
            Team::Current().Barrier();
            if (arrived != phase * kMembers) ++wrong;
            Team::Current().Barrier();
          }
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(SharedLoopTest, PartsCoverTheLoopOnce) {
  SharedLoop loop;
  loop.Begin(0, 10, 3, 2);  // 0, 3, 6, 9
  loop.Begin(5, 6, 1, 1);   // a later member's call changes nothing
  const auto first = loop.Take();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->begin, 0);
  EXPECT_EQ(first->end, 6);
  const auto second = loop.Take();
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->begin, 6);
  EXPECT_EQ(second->end, 10);
  EXPECT_EQ(second->number, 1u);
  EXPECT_FALSE(loop.Take().has_value());
}

TEST(SharedLoopTest, CountsDownToo) {
  SharedLoop loop;
  loop.Begin(5, 0, -2, 2);  // 5, 3, 1
  EXPECT_EQ(loop.Take()->end, 1);
  EXPECT_EQ(loop.Take()->begin, 1);
  EXPECT_FALSE(loop.Take().has_value());
}

}  // namespace
}  // namespace genzo
