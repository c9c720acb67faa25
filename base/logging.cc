#include "base/logging.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/utf8.h"
#include "google/protobuf/stubs/logging.h"
#include "nlohmann/json.hpp"
#include "spdlog/formatter.h"
#include "spdlog/sinks/stdout_sinks.h"

namespace genzo {
namespace {

// Stands before every name and every value in an entry of LogEvent(). Other
// entries are printable; values are made so.
constexpr char kSeparator = '\x1f';

// Fields of the schema that are numbers; in JSON, too.
constexpr const char* kNumbers[] = {"seconds", "images", "images_failed",
                                    "steps"};

bool IsNumber(const std::string& name, const std::string& value) {
  double number = 0;
  return absl::c_linear_search(kNumbers, name) &&
         absl::SimpleAtod(value, &number) && std::isfinite(number);
}

bool IsPlain(absl::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return absl::ascii_isgraph(c) && c != '"' && c != '=' && c != '\\';
  });
}

// "job accepted job=4f2a"
std::string AsText(const std::vector<std::string>& parts) {
  std::string text = Printable(parts[0]);
  for (size_t i = 1; i + 1 < parts.size(); i += 2) {
    const std::string& value = parts[i + 1];
    absl::StrAppend(
        &text, " ", parts[i], "=",
        IsPlain(value)
            ? value
            : absl::StrCat("\"", absl::Utf8SafeCEscape(value), "\""));
  }
  return text;
}

class EntryFormatter : public spdlog::formatter {
 public:
  explicit EntryFormatter(bool as_json) : as_json_(as_json) {}

  void format(const spdlog::details::log_msg& entry,
              spdlog::memory_buf_t& out) override {
    const std::string time =
        absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromChrono(entry.time),
                         absl::UTCTimeZone());
    const spdlog::string_view_t name =
        spdlog::level::to_string_view(entry.level);
    const std::string level(name.data(), name.size());
    const std::vector<std::string> parts = absl::StrSplit(
        absl::string_view(entry.payload.data(), entry.payload.size()),
        kSeparator);
    const std::string line =
        as_json_ ? AsJson(time, level, parts)
                 : absl::StrCat(time, " ", level, " ", AsText(parts));
    out.append(line.data(), line.data() + line.size());
    out.push_back('\n');
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<EntryFormatter>(as_json_);
  }

 private:
  static std::string AsJson(const std::string& time, const std::string& level,
                            const std::vector<std::string>& parts) {
    nlohmann::ordered_json object = {
        {"ts", time}, {"level", level}, {"msg", parts[0]}};
    for (size_t i = 1; i + 1 < parts.size(); i += 2) {
      const std::string& value = parts[i + 1];
      object[parts[i]] = IsNumber(parts[i], value)
                             ? nlohmann::ordered_json::parse(
                                   value, nullptr, /*allow_exceptions=*/false)
                             : nlohmann::ordered_json(value);
    }
    return object.dump(-1, ' ', false,
                       nlohmann::json::error_handler_t::replace);
  }

  const bool as_json_;
};

}  // namespace

absl::Status InitLogging(const std::string& level, const std::string& format) {
  static constexpr const char* kLevels[] = {"debug", "info", "warning", "error",
                                            "off"};
  bool known = false;
  for (const char* name : kLevels) known = known || level == name;
  if (!known) {
    return absl::InvalidArgumentError(
        absl::StrCat("log level \"", level,
                     "\" is not one of debug, info, warning, error, off"));
  }
  if (format != "text" && format != "json") {
    return absl::InvalidArgumentError(
        absl::StrCat("log format \"", format, "\" is not one of text, json"));
  }
  auto logger = std::make_shared<spdlog::logger>(
      "genzo", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::make_unique<EntryFormatter>(format == "json"));
  spdlog::set_default_logger(std::move(logger));
  spdlog::set_level(spdlog::level::from_str(level));
  // Protobuf complains of what clients send; they are told, by field.
  google::protobuf::SetLogHandler([](google::protobuf::LogLevel, const char*,
                                     int, const std::string& message) {
    spdlog::debug("protobuf: {}", absl::Utf8SafeCEscape(message));
  });
  return absl::OkStatus();
}

void LogEvent(spdlog::level::level_enum level, absl::string_view event,
              const LogFields& fields) {
  if (!spdlog::should_log(level)) return;
  std::string entry(event);
  for (const auto& [name, value] : fields) {
    if (value.empty()) continue;
    std::string clean = value;
    std::replace(clean.begin(), clean.end(), kSeparator, ' ');
    entry.push_back(kSeparator);
    entry += name;
    entry.push_back(kSeparator);
    entry += clean;
  }
  spdlog::log(level, "{}", entry);
}

}  // namespace genzo
