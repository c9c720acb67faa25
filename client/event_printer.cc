#include "client/event_printer.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "absl/strings/match.h"
#include "base/utf8.h"
#include "client/json_printer.h"
#include "client/terminal_printer.h"

namespace genzo {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool IsTerminal() {
  const std::string term = Environment("TERM");
  return isatty(STDOUT_FILENO) == 1 && !term.empty() && term != "dumb";
}

TerminalPrinter::Screen FindScreen(bool art) {
  TerminalPrinter::Screen screen;
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    screen.columns = size.ws_col;
    screen.rows = size.ws_row;
  }
  screen.art = art && Environment("NO_COLOR").empty();
  const std::string colors = Environment("COLORTERM");
  const bool true_color = absl::StrContains(colors, "truecolor") ||
                          absl::StrContains(colors, "24bit");
  screen.depth = true_color ? ColorDepth::kTrueColor : ColorDepth::k256;
  return screen;
}

}  // namespace

void EventPrinter::Say(const std::string& text) {
  std::cerr << "genzo: " << Printable(text) << std::endl;
}

std::unique_ptr<EventPrinter> MakeEventPrinter(const PrinterOptions& options) {
  if (options.json) return std::make_unique<JsonPrinter>();
  const EventWords words(options.enlarges);
  if (!IsTerminal()) return std::make_unique<PlainPrinter>(words);
  return std::make_unique<TerminalPrinter>(
      [art = options.art] { return FindScreen(art); }, options.image_count,
      words);
}

}  // namespace genzo
