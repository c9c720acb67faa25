#include "client/terminal_printer.h"

#include <algorithm>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "base/proto_time.h"
#include "base/utf8.h"

namespace genzo {
namespace {

double Seconds(const google::protobuf::Duration& duration) {
  return absl::ToDoubleSeconds(FromProto(duration));
}

std::string EndLine(const v1::Ended& ended, bool enlarges, bool from_cache) {
  if (from_cache) return "no steps: the server had kept them";
  if (enlarges) {
    return absl::StrFormat("%.2f s queued, %.2f s enlarging",
                           Seconds(ended.queued()), Seconds(ended.denoise()));
  }
  return absl::StrFormat(
      "%d steps: %.2f s queued, %.2f s text, %.2f s denoising, %.2f s decoding",
      ended.steps_run(), Seconds(ended.queued()), Seconds(ended.encode()),
      Seconds(ended.denoise()), Seconds(ended.decode()));
}

std::string LargerLine(const v1::Picture& picture, const std::string& path) {
  return absl::StrCat("enlarged to ", picture.width(), " x ", picture.height(),
                      ": ", Printable(path));
}

std::string ImageLine(const v1::Image& image, const std::string& path) {
  return absl::StrCat(
      "image, seed ", image.seed(),
      image.has_score() ? absl::StrFormat(", score %.2f", image.score()) : "",
      image.safety().empty() ? ""
                             : absl::StrCat(", ", Printable(image.safety())),
      image.approximations().empty()
          ? ""
          : absl::StrCat(
                ", approximated by ",
                Printable(absl::StrJoin(image.approximations(), ", "))),
      ": ", Printable(path),
      image.latents().empty()
          ? ""  // what --from-latents takes
          : absl::StrCat(", latents ", Printable(image.latents())));
}

}  // namespace

std::string EventWords::Line(const v1::JobEvent& event,
                             const std::string& path) {
  switch (event.event_case()) {
    case v1::JobEvent::kQueued:
      return absl::StrCat("queued, ", event.queued().position(), " jobs ahead");
    case v1::JobEvent::kPreview:
      return absl::StrCat("preview of step ", event.preview().step(), ": ",
                          Printable(path));
    case v1::JobEvent::kImage:
      return enlarges_ ? LargerLine(event.image().picture(), path)
                       : ImageLine(event.image(), path);
    case v1::JobEvent::kImageWithheld:
      return absl::StrCat("image ", event.image_withheld().image_index(),
                          " is withheld by the server's policy: ",
                          Printable(event.image_withheld().safety()));
    case v1::JobEvent::kStarted:
      from_cache_ = event.started().from_cache();
      return from_cache_ ? "the same pictures as before, kept by the server"
                         : "";
    case v1::JobEvent::kImageFailed:
      return absl::StrCat(
          "image ", event.image_failed().image_index(),
          " failed: ", Printable(event.image_failed().status().message()));
    case v1::JobEvent::kEnded:
      // Why it did not is said where the call ends.
      return event.ended().state() == v1::JOB_STATE_SUCCEEDED
                 ? EndLine(event.ended(), enlarges_, from_cache_)
                 : "";
    default:
      return "";
  }
}

void PlainPrinter::Show(const v1::JobEvent& event, const std::string& path) {
  const std::string line = words_.Line(event, path);
  if (!line.empty()) std::cout << line << std::endl;
}

TerminalPrinter::TerminalPrinter(std::function<Screen()> find_screen,
                                 uint32_t image_count, EventWords words)
    : find_screen_(std::move(find_screen)),
      screen_(find_screen_()),
      words_(words),
      begin_(absl::Now()),
      pictures_(image_count),
      progress_(image_count) {}

TerminalPrinter::~TerminalPrinter() {
  // An interrupted job leaves the cursor on a line of its own.
  if (!done_ && drawn_lines_ > 0) std::cout << std::endl;
}

void TerminalPrinter::Show(const v1::JobEvent& event, const std::string& path) {
  switch (event.event_case()) {
    case v1::JobEvent::kQueued:
      status_ = words_.Line(event, path);
      return Redraw("");
    case v1::JobEvent::kProgress:
      Note(event.progress());
      return Redraw("");
    case v1::JobEvent::kPreview:
      SetPicture(event.preview().image_index(), event.preview().picture());
      return Redraw("");
    case v1::JobEvent::kImage:
      SetPicture(event.image().image_index(), event.image().picture());
      return Redraw(words_.Line(event, path));
    case v1::JobEvent::kStarted:
    case v1::JobEvent::kImageWithheld:
    case v1::JobEvent::kImageFailed:
      return Redraw(words_.Line(event, path));
    case v1::JobEvent::kEnded:
      status_ = words_.Line(event, path);
      done_ = true;
      Redraw("");
      std::cout << std::endl;
      return;
    default:
      return;
  }
}

void TerminalPrinter::SetPicture(uint32_t image_index,
                                 const v1::Picture& picture) {
  auto image = ReadPicture(picture.data());
  if (image.ok() && image_index < pictures_.size()) {
    pictures_[image_index] = *std::move(image);
  }
}

void TerminalPrinter::Note(const v1::Progress& progress) {
  status_.clear();
  if (progress.image_index() >= progress_.size()) return;
  progress_[progress.image_index()] = {progress.step(), progress.steps(),
                                       FromProto(progress.time_left())};
}

std::string TerminalPrinter::ProgressLine() const {
  if (done_ && !status_.empty()) return status_;
  // A line that wraps could not be drawn over.
  const size_t width = std::max(1, screen_.columns - 1);
  if (!status_.empty()) return status_.substr(0, width);
  uint32_t step = 0;
  uint32_t steps = 0;
  absl::Duration left;
  for (const Progress& progress : progress_) {
    step += progress.step;
    steps += progress.steps;
    left = std::max(left, progress.time_left);
  }
  const double elapsed = absl::ToDoubleSeconds(absl::Now() - begin_);
  const std::string text =
      absl::StrFormat(" %s %d of %d, %.1f %ss/s, %.1f s left", words_.unit(),
                      step, steps, step / std::max(elapsed, 1e-3),
                      words_.unit(), absl::ToDoubleSeconds(left));
  constexpr size_t kBar = 24;
  if (kBar + text.size() > width) return text.substr(0, width);
  const size_t filled = steps == 0 ? 0 : kBar * step / steps;
  std::string bar;
  for (size_t i = 0; i < kBar; ++i) bar += i < filled ? "\u2588" : "\u2591";
  return bar + text;
}

std::vector<std::string> TerminalPrinter::ArtLines() const {
  std::vector<std::string> lines;
  if (!screen_.art) return lines;
  const int count = static_cast<int>(pictures_.size());
  const int columns = std::max(8, screen_.columns / count - 1);
  const int rows = std::max(4, std::min(32, screen_.rows - 4));
  // Pictures that do not fit beside the others are left out.
  int shown = std::max(1, screen_.columns / (columns + 1));
  for (const RgbImage& picture : pictures_) {
    if (picture.width == 0 || shown == 0) continue;
    --shown;
    const auto art = HalfBlockArt(picture, columns, rows, screen_.depth);
    lines.resize(std::max(lines.size(), art.size()));
    for (size_t i = 0; i < art.size(); ++i) {
      absl::StrAppend(&lines[i], lines[i].empty() ? "" : " ", art[i]);
    }
  }
  return lines;
}

void TerminalPrinter::Say(const std::string& text) {
  const bool is_drawn = drawn_lines_ > 0;
  if (is_drawn) std::cout << Erased() << std::flush;
  EventPrinter::Say(text);
  if (is_drawn) Redraw("");
}

std::string TerminalPrinter::Erased() {
  std::string frame = "\r";
  const Screen screen = find_screen_();
  // What was drawn has wrapped by rules of the terminal's own: begin below it.
  if (screen.columns != screen_.columns && drawn_lines_ > 0) {
    frame = "\n";
    drawn_lines_ = 0;
  }
  screen_ = screen;
  if (drawn_lines_ > 1) {
    absl::StrAppend(&frame, "\x1b[", drawn_lines_ - 1, "A");
  }
  drawn_lines_ = 0;
  return frame + "\x1b[J";
}

void TerminalPrinter::Redraw(const std::string& lasting) {
  std::string frame = Erased();
  if (!lasting.empty()) absl::StrAppend(&frame, lasting, "\n");
  const std::vector<std::string> art = ArtLines();
  for (const std::string& line : art) absl::StrAppend(&frame, line, "\n");
  absl::StrAppend(&frame, ProgressLine());
  drawn_lines_ = static_cast<int>(art.size()) + 1;
  std::cout << frame << std::flush;
}

}  // namespace genzo
