#include "tools/bench/progress_line.h"

#include "absl/strings/str_format.h"

namespace genzo {
namespace {

constexpr absl::Duration kBetweenUpdates = absl::Milliseconds(200);

}  // namespace

double ProgressLine::Elapsed() const {
  return absl::ToDoubleSeconds(clock_.Now() - begin_);
}

void ProgressLine::Begin(const std::string& label) {
  absl::MutexLock lock(&mutex_);
  label_ = label;
  begin_ = clock_.Now();
  shown_ = absl::InfinitePast();
}

void ProgressLine::Update(int ended, int in_flight) {
  absl::MutexLock lock(&mutex_);
  if (!terminal_ || clock_.Now() < shown_ + kBetweenUpdates) return;
  shown_ = clock_.Now();
  out_ << absl::StreamFormat("\r%s: %d calls ended, %d in flight, %.0f s\x1b[K",
                             label_, ended, in_flight, Elapsed())
       << std::flush;
}

void ProgressLine::End(int ended) {
  absl::MutexLock lock(&mutex_);
  out_ << absl::StreamFormat("%s%s: %d calls in %.1f s%s\n",
                             terminal_ ? "\r" : "", label_, ended, Elapsed(),
                             terminal_ ? "\x1b[K" : "")
       << std::flush;
}

}  // namespace genzo
