// What LibTorch calls of GNU OpenMP comes here, and does what the standard
// says. Called as its ABI: compiled pragmas would call what we do not answer.
#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <functional>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "ATen/Parallel.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "worker/threads/available_cores.h"

extern "C" {
void GOMP_parallel(void (*function)(void*), void* data, unsigned num_threads,
                   unsigned flags);
void GOMP_barrier();
bool GOMP_loop_dynamic_start(long, long, long, long, long*, long*);
bool GOMP_loop_dynamic_next(long*, long*);
void GOMP_loop_end();
void GOMP_loop_end_nowait();
bool GOMP_loop_ordered_dynamic_start(long, long, long, long, long*, long*);
bool GOMP_loop_ordered_dynamic_next(long*, long*);
void GOMP_ordered_start();
void GOMP_ordered_end();
unsigned GOMP_sections_start(unsigned);
unsigned GOMP_sections_next();
void GOMP_sections_end_nowait();
bool GOMP_single_start();
void GOMP_critical_start();
void GOMP_critical_end();
void GOMP_critical_name_start(void**);
void GOMP_critical_name_end(void**);
void GOMP_atomic_start();
void GOMP_atomic_end();
int omp_get_num_threads();
int omp_get_thread_num();
int omp_get_max_threads();
int omp_in_parallel();
void omp_set_num_threads(int);
}

namespace genzo {
namespace {

void Parallel(unsigned threads, const std::function<void()>& work) {
  GOMP_parallel(
      [](void* data) { (*static_cast<const std::function<void()>*>(data))(); },
      const_cast<std::function<void()>*>(&work), threads, 0);
}

std::string OutputOf(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  std::array<char, 4096> buffer;
  while (size_t count = fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), count);
  }
  pclose(pipe);
  return output;
}

TEST(OpenMpTest, AnswersAllThatLibTorchCalls) {
  std::istringstream symbols(
      OutputOf("nm -D --undefined-only " LIBTORCH_CPU " 2>&1"));
  Dl_info own{};
  ASSERT_NE(dladdr(reinterpret_cast<void*>(&GOMP_parallel), &own), 0);
  int found = 0;
  for (std::string word; symbols >> word;) {
    const bool is_openmp =
        word.rfind("GOMP_", 0) == 0 || word.rfind("omp_", 0) == 0;
    if (!is_openmp) continue;
    ++found;
    const std::string name = word.substr(0, word.find('@'));
    void* address = dlsym(RTLD_DEFAULT, name.c_str());
    Dl_info info{};
    ASSERT_NE(dladdr(address, &info), 0) << name;
    EXPECT_STREQ(info.dli_fname, own.dli_fname)
        << name << " is another library's";
  }
  EXPECT_GT(found, 10);
}

TEST(OpenMpTest, LibTorchsLoopsAreTeamsOfOurs) {
  at::get_num_threads();  // sets a count of its own on first use
  at::internal::lazy_init_num_threads();
  omp_set_num_threads(3);
  EXPECT_EQ(at::get_num_threads(), 3);
  std::mutex mutex;
  std::set<std::pair<int64_t, int64_t>> parts;
  at::parallel_for(0, 9, 1, [&](int64_t begin, int64_t end) {
    EXPECT_EQ(omp_get_num_threads(), 3);
    EXPECT_TRUE(at::in_parallel_region());
    const std::lock_guard lock(mutex);
    parts.emplace(begin, end);
  });
  EXPECT_THAT(parts, ::testing::ElementsAre(std::pair(0, 3), std::pair(3, 6),
                                            std::pair(6, 9)));
}

TEST(OpenMpTest, AThreadsWishIsItsOwnAndItsTeams) {
  omp_set_num_threads(5);
  std::thread([] {
    EXPECT_EQ(omp_get_max_threads(), DefaultThreads());
  }).join();
  Parallel(0, [] {
    EXPECT_EQ(omp_get_num_threads(), 5);
    EXPECT_EQ(omp_get_max_threads(), 5);
    EXPECT_EQ(omp_in_parallel(), 1);
    omp_set_num_threads(2);
  });
  EXPECT_EQ(omp_get_max_threads(), 5);
  Parallel(1, [] { EXPECT_EQ(omp_in_parallel(), 0); });
  EXPECT_EQ(omp_get_thread_num(), 0);
}

TEST(OpenMpTest, DynamicLoopsShareOutEveryIterationOnce) {
  constexpr int kCount = 100;
  std::vector<std::atomic<int>> done(2 * kCount);
  Parallel(4, [&] {
    long begin = 0, end = 0;
    // Two loops, so that members are in different ones at a time.
    for (int loop = 0; loop < 2; ++loop) {
      const long first = loop * kCount;
      for (bool more = GOMP_loop_dynamic_start(first, first + kCount, 1, 3,
                                               &begin, &end);
           more; more = GOMP_loop_dynamic_next(&begin, &end)) {
        for (long i = begin; i < end; ++i) ++done[i];
      }
      loop == 0 ? GOMP_loop_end_nowait() : GOMP_loop_end();
    }
    for (const auto& count : done) EXPECT_EQ(count, 1);
  });
}

TEST(OpenMpTest, OrderedPiecesComeInOrder) {
  std::vector<long> order;
  Parallel(4, [&] {
    long begin = 0, end = 0;
    for (bool more = GOMP_loop_ordered_dynamic_start(0, 50, 1, 1, &begin, &end);
         more; more = GOMP_loop_ordered_dynamic_next(&begin, &end)) {
      GOMP_ordered_start();
      order.push_back(begin);
      GOMP_ordered_end();
    }
    GOMP_loop_end();
  });
  ASSERT_EQ(order.size(), 50u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(OpenMpTest, SectionsAndSinglesRunOnce) {
  std::vector<std::atomic<int>> sections(6);
  std::atomic<int> singles{0};
  Parallel(3, [&] {
    for (unsigned section = GOMP_sections_start(5); section > 0;
         section = GOMP_sections_next()) {
      ++sections[section];
    }
    GOMP_sections_end_nowait();
    if (GOMP_single_start()) ++singles;
    if (GOMP_single_start()) ++singles;
    GOMP_barrier();
    EXPECT_EQ(singles, 2);
  });
  for (int section = 1; section <= 5; ++section) {
    EXPECT_EQ(sections[section], 1);
  }
}

TEST(OpenMpTest, OutsideOfATeamAllIsOnes) {
  for (int round = 0; round < 2; ++round) {
    long begin = 0, end = 0;
    ASSERT_TRUE(GOMP_loop_dynamic_start(0, 4, 1, 4, &begin, &end));
    EXPECT_EQ(end, 4);
    EXPECT_FALSE(GOMP_loop_dynamic_next(&begin, &end));
    GOMP_loop_end();
    EXPECT_TRUE(GOMP_single_start());
  }
}

TEST(OpenMpTest, CriticalPiecesRunOneAtATime) {
  int plain = 0, named = 0, atomic = 0;
  static void* name = nullptr;
  Parallel(4, [&] {
    for (int i = 0; i < 1000; ++i) {
      GOMP_critical_start();
      ++plain;
      GOMP_critical_name_start(&name);  // of another name: may be inside
      ++named;
      GOMP_critical_name_end(&name);
      GOMP_critical_end();
      GOMP_atomic_start();
      ++atomic;
      GOMP_atomic_end();
    }
  });
  EXPECT_EQ(plain, 4000);
  EXPECT_EQ(named, 4000);
  EXPECT_EQ(atomic, 4000);
}

}  // namespace
}  // namespace genzo
