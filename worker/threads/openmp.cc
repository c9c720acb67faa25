// GNU OpenMP's entry points, answered by TeamPool: those that libtorch_cpu.so
// and our own parallel loops call (openmp_test compares with its symbols). The
// names and meanings are libgomp's ABI. Symbols of a program come before those
// of its libraries, so libgomp itself, which LibTorch loads, starts no threads.

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "worker/threads/available_cores.h"
#include "worker/threads/team.h"
#include "worker/threads/team_pool.h"

namespace genzo {
namespace {

// What a thread's next team has; 0: not set, the default.
thread_local int threads_wanted = 0;

int ThreadsWanted() {
  return threads_wanted > 0 ? threads_wanted : DefaultThreads();
}

// Members of a team want what the thread that brought it does.
struct Work {
  void (*function)(void*);
  void* data;
  int threads_wanted;
};

void RunWork(void* argument) {
  const Work& work = *static_cast<const Work*>(argument);
  const int before = std::exchange(threads_wanted, work.threads_wanted);
  work.function(work.data);
  threads_wanted = before;
}

// The part of an ordered loop that the calling member has.
thread_local std::optional<uint32_t> ordered_part;

bool NextPart(int64_t* begin, int64_t* end, bool ordered) {
  SharedLoop& loop = Team::Current().Loop();
  if (ordered && ordered_part.has_value()) loop.PassTurn(*ordered_part);
  const auto part = loop.Take();
  ordered_part = ordered && part.has_value()
                     ? std::optional<uint32_t>(part->number)
                     : std::nullopt;
  if (!part.has_value()) return false;
  *begin = part->begin;
  *end = part->end;
  return true;
}

std::mutex& UnnamedCritical() {
  static std::mutex& mutex = *new std::mutex();
  return mutex;
}

std::mutex& AtomicUpdate() {
  static std::mutex& mutex = *new std::mutex();
  return mutex;
}

// Of a `critical` with a name, for which the compiler keeps a pointer.
std::mutex& NamedCritical(void** place) {
  auto& slot = *reinterpret_cast<std::atomic<std::mutex*>*>(place);
  std::mutex* mutex = slot.load(std::memory_order_acquire);
  if (mutex != nullptr) return *mutex;
  auto* made = new std::mutex();
  if (slot.compare_exchange_strong(mutex, made)) return *made;
  delete made;
  return *mutex;
}

}  // namespace
}  // namespace genzo

using genzo::Team;

extern "C" {

// --- teams -------------------------------------------------------------------

void GOMP_parallel(void (*function)(void*), void* data, unsigned num_threads,
                   unsigned /*flags*/) {
  genzo::Work work = {function, data, genzo::ThreadsWanted()};
  genzo::TeamPool::Get().Run(
      genzo::RunWork, &work,
      num_threads > 0 ? static_cast<int>(num_threads) : work.threads_wanted);
}

void GOMP_barrier() { Team::Current().Barrier(); }

int omp_get_thread_num() { return Team::CurrentMember(); }
int omp_get_num_threads() { return Team::Current().members(); }
int omp_in_parallel() { return Team::AtWork() ? 1 : 0; }
int omp_get_max_threads() { return genzo::ThreadsWanted(); }
int omp_get_num_procs() { return genzo::AvailableCores(); }
void omp_set_num_threads(int threads) {
  genzo::threads_wanted = threads > 0 ? threads : 1;
}

// --- what a team shares out
// ---------------------------------------------------

bool GOMP_loop_dynamic_next(long* begin, long* end) {
  return genzo::NextPart(begin, end, /*ordered=*/false);
}

bool GOMP_loop_dynamic_start(long begin, long end, long step, long chunk,
                             long* part_begin, long* part_end) {
  Team::Current().Loop().Begin(begin, end, step, chunk);
  return GOMP_loop_dynamic_next(part_begin, part_end);
}

bool GOMP_loop_ordered_dynamic_next(long* begin, long* end) {
  return genzo::NextPart(begin, end, /*ordered=*/true);
}

bool GOMP_loop_ordered_dynamic_start(long begin, long end, long step,
                                     long chunk, long* part_begin,
                                     long* part_end) {
  Team::Current().Loop().Begin(begin, end, step, chunk);
  return GOMP_loop_ordered_dynamic_next(part_begin, part_end);
}

void GOMP_ordered_start() {
  Team::Current().Loop().AwaitTurn(genzo::ordered_part.value_or(0));
}

void GOMP_ordered_end() {}  // the turn passes with the part

void GOMP_loop_end_nowait() { Team::Current().LeaveLoop(); }

void GOMP_loop_end() {
  Team& team = Team::Current();
  team.LeaveLoop();
  team.Barrier();
}

unsigned GOMP_sections_next() {
  const auto section = Team::Current().Loop().Take();
  return section.has_value() ? static_cast<unsigned>(section->begin) : 0;
}

unsigned GOMP_sections_start(unsigned count) {
  Team::Current().Loop().Begin(1, int64_t{count} + 1, 1, 1);
  return GOMP_sections_next();
}

void GOMP_sections_end_nowait() { Team::Current().LeaveLoop(); }

bool GOMP_single_start() {
  Team& team = Team::Current();
  const bool first = team.Loop().First();
  team.LeaveLoop();
  return first;
}

// --- one at a time
// -------------------------------------------------------------

void GOMP_critical_start() { genzo::UnnamedCritical().lock(); }
void GOMP_critical_end() { genzo::UnnamedCritical().unlock(); }
void GOMP_critical_name_start(void** name) {
  genzo::NamedCritical(name).lock();
}
void GOMP_critical_name_end(void** name) {
  genzo::NamedCritical(name).unlock();
}
void GOMP_atomic_start() { genzo::AtomicUpdate().lock(); }
void GOMP_atomic_end() { genzo::AtomicUpdate().unlock(); }

}  // extern "C"
