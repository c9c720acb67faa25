#include "base/logging.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/stubs/logging.h"
#include "spdlog/sinks/stdout_sinks.h"

namespace genzo {

absl::Status InitLogging(const std::string& level) {
  static constexpr const char* kLevels[] = {"debug", "info", "warning", "error",
                                            "off"};
  bool known = false;
  for (const char* name : kLevels) known = known || level == name;
  if (!known) {
    return absl::InvalidArgumentError(
        absl::StrCat("log level \"", level,
                     "\" is not one of debug, info, warning, error, off"));
  }
  auto logger = std::make_shared<spdlog::logger>(
      "genzo", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  spdlog::set_default_logger(std::move(logger));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v",
                      spdlog::pattern_time_type::utc);
  spdlog::set_level(spdlog::level::from_str(level));
  // Protobuf complains of what clients send; they are told, by field.
  google::protobuf::SetLogHandler([](google::protobuf::LogLevel, const char*,
                                     int, const std::string& message) {
    spdlog::debug("protobuf: {}", absl::Utf8SafeCEscape(message));
  });
  return absl::OkStatus();
}

}  // namespace genzo
