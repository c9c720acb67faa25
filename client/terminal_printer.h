#ifndef GENZO_CLIENT_TERMINAL_PRINTER_H_
#define GENZO_CLIENT_TERMINAL_PRINTER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/event_printer.h"
#include "client/picture_reader.h"
#include "client/terminal_art.h"

namespace genzo {

// Words for a job's events, without what only a terminal can show. Not
// thread-safe.
class EventWords {
 public:
  // `enlarges`: the job makes a sent picture larger. It has no seed, its steps
  // are tiles, and nothing is denoised.
  explicit EventWords(bool enlarges = false) : enlarges_(enlarges) {}

  // Empty for events that need none. Events are given in order: what `started`
  // says counts for the end.
  std::string Line(const v1::JobEvent& event, const std::string& path);

  // What `progress` counts.
  const char* unit() const { return enlarges_ ? "tile" : "step"; }

 private:
  const bool enlarges_;
  bool from_cache_ = false;
};

// One line an event that matters; for logs and pipes.
class PlainPrinter : public EventPrinter {
 public:
  explicit PlainPrinter(EventWords words = EventWords()) : words_(words) {}
  void Show(const v1::JobEvent& event, const std::string& path) override;

 private:
  EventWords words_;
};

// Pictures side by side that refine in place, a progress line below, and a line
// for each finished file, which stays.
class TerminalPrinter : public EventPrinter {
 public:
  // The terminal's size, and how it shows pictures.
  struct Screen {
    int columns = 80;
    int rows = 24;
    bool art = true;
    ColorDepth depth = ColorDepth::k256;
  };

  // `find_screen` is asked before every frame: windows change their size.
  TerminalPrinter(std::function<Screen()> find_screen, uint32_t image_count,
                  EventWords words = EventWords());
  ~TerminalPrinter() override;

  void Show(const v1::JobEvent& event, const std::string& path) override;
  // Above the picture, where it stays, as standard error is the terminal, too.
  void Say(const std::string& text) override;

 private:
  struct Progress {
    uint32_t step = 0;
    uint32_t steps = 0;
    absl::Duration time_left;
  };

  void SetPicture(uint32_t image_index, const v1::Picture& picture);
  void Note(const v1::Progress& progress);
  std::string ProgressLine() const;
  std::vector<std::string> ArtLines() const;
  // Takes away what is drawn; its text goes in front of the next.
  std::string Erased();
  // Draws over what is there; `lasting` goes above the picture and stays.
  void Redraw(const std::string& lasting);

  const std::function<Screen()> find_screen_;
  Screen screen_;
  EventWords words_;
  const absl::Time begin_;
  std::vector<RgbImage> pictures_;  // latest of each image
  std::vector<Progress> progress_;  // of each image
  std::string status_;              // in place of progress
  int drawn_lines_ = 0;
  bool done_ = false;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_TERMINAL_PRINTER_H_
