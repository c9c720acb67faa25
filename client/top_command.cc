#include "client/top_command.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <optional>

#include "absl/time/clock.h"
#include "client/metrics_page.h"
#include "client/number_range.h"

namespace genzo {
namespace {

constexpr size_t kWideEnough = 200;  // where nobody says how wide

volatile std::sig_atomic_t interrupted = 0;

// Takes the terminal for a live view, and gives it back as it was.
class Screen {
 public:
  Screen() {
    std::signal(SIGINT, [](int) { interrupted = 1; });
    std::signal(SIGTERM, [](int) { interrupted = 1; });
    if (tcgetattr(STDIN_FILENO, &before_) == 0) {
      termios keys = before_;
      keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      tcsetattr(STDIN_FILENO, TCSANOW, &keys);
      has_keys_ = true;
    }
    std::cout << "\x1b[?1049h\x1b[?25l";  // another screen, no cursor
  }
  ~Screen() {
    std::cout << "\x1b[?25h\x1b[?1049l" << std::flush;
    if (has_keys_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }

  void Show(const std::vector<std::string>& lines) {
    std::cout << "\x1b[H";
    for (const std::string& line : lines) std::cout << line << "\x1b[K\r\n";
    std::cout << "\x1b[J" << std::flush;
  }

  // Waits for `time`; true if somebody wants to leave.
  bool WaitForLeave(absl::Duration time) const {
    pollfd keys = {
        .fd = has_keys_ ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0};
    const int found =
        poll(&keys, 1, static_cast<int>(absl::ToInt64Milliseconds(time)));
    char key = 0;
    if (found > 0 && read(STDIN_FILENO, &key, 1) == 1 && key == 'q') {
      return true;
    }
    return interrupted != 0;
  }

 private:
  termios before_ = {};
  bool has_keys_ = false;
};

winsize TerminalSize() {
  winsize size = {};
  ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
  return size;
}

}  // namespace

TopCommand::TopCommand(CLI::App& app)
    : command_(app.add_subcommand(
          "top", "watch a server at work: queue, models, rates, times")) {
  command_
      ->add_option("--admin", admin_,
                   "host:port of its /metrics page, `admin` in its "
                   "configuration")
      ->capture_default_str()
      ->envname("GENZO_ADMIN");
  command_->add_option("--interval", interval_seconds_, "seconds between looks")
      ->capture_default_str()
      ->check(NumberRange(0.1, 3600.0));
  command_
      ->add_option("--count", count_,
                   "looks before it ends; 0: until you do (q)")
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000));
  command_->add_flag("--json", json_,
                     "one look as JSON, with rates over an interval");
}

absl::StatusOr<MetricsSample> TopCommand::Read(
    const MetricsReader& reader) const {
  const auto page = reader();
  if (!page.ok()) return page.status();
  return MetricsSample::Parse(*page);
}

ExitStatus TopCommand::ShowOnce(const MetricsReader& reader) const {
  const auto before = Read(reader);
  const absl::Duration between = absl::Seconds(interval_seconds_);
  if (before.ok()) absl::SleepFor(between);
  const auto now = before.ok() ? Read(reader) : before;
  if (!now.ok()) {
    std::cerr << "genzo: " << now.status().message() << std::endl;
    return kExitUnavailable;
  }
  std::cout << FiguresOf(*before, *now, between).dump(2) << std::endl;
  return kExitOk;
}

ExitStatus TopCommand::ShowLive(const MetricsReader& reader) const {
  const bool is_terminal = isatty(STDOUT_FILENO) != 0;
  std::optional<Screen> screen;
  absl::StatusOr<MetricsSample> before = Read(reader);
  absl::Time seen = absl::Now();
  if (!before.ok()) {
    std::cerr << "genzo: " << before.status().message() << std::endl;
    return kExitUnavailable;
  }
  if (is_terminal) screen.emplace();
  for (int shown = 0; count_ == 0 || shown < count_; ++shown) {
    const absl::Duration interval = absl::Seconds(interval_seconds_);
    if (screen.has_value()) {
      // The first look shows what there is at once.
      if (shown > 0 && screen->WaitForLeave(interval)) break;
    } else {
      absl::SleepFor(interval);
    }
    auto now = Read(reader);
    std::vector<std::string> lines = {
        absl::StrCat("genzo: ", now.status().message())};
    const winsize size = TerminalSize();
    if (now.ok()) {
      const absl::Time time = absl::Now();
      const size_t columns = size.ws_col > 0 ? size.ws_col : kWideEnough;
      lines = FigureLines(FiguresOf(*before, *now, time - seen), columns);
      before = std::move(now);
      seen = time;
    }
    if (screen.has_value() && size.ws_row > 1 && lines.size() >= size.ws_row) {
      lines.resize(size.ws_row - 1);
    }
    if (screen.has_value()) {
      screen->Show(lines);
      continue;
    }
    for (const std::string& line : lines) std::cout << line << "\n";
    std::cout << std::endl;
  }
  screen.reset();
  return kExitOk;
}

ExitStatus TopCommand::Run() const {
  const MetricsReader reader = ReadMetricsFrom(admin_);
  return json_ ? ShowOnce(reader) : ShowLive(reader);
}

}  // namespace genzo
