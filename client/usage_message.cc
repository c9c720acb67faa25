#include "client/usage_message.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/utf8.h"

namespace genzo {
namespace {

// The innermost command that was named.
const CLI::App* CommandOf(const CLI::App* app) {
  for (auto named = app->get_subcommands(); !named.empty();
       named = app->get_subcommands()) {
    app = named.front();
  }
  return app;
}

std::string FullName(const CLI::App* command) {
  const CLI::App* const parent = command->get_parent();
  return parent == nullptr
             ? "genzo"
             : absl::StrCat(FullName(parent), " ", command->get_name());
}

// Of words that no command or option takes.
std::string OfWords(const CLI::App* app, const CLI::App* command) {
  const std::vector<std::string> words = app->remaining(/*recurse=*/true);
  if (words.empty()) return "";
  const std::string first = absl::StrCat("\"", words.front(), "\"");
  if (absl::StartsWith(words.front(), "-")) {
    return absl::StrCat(FullName(command), " has no option ", first);
  }
  if (command == app) {
    return absl::StrCat(
        first, " is no command: ", absl::StrJoin(CommandNames(*app), ", "));
  }
  return absl::StrCat(first, " is one word too many",
                      command->get_name() == "generate"
                          ? "; a prompt of several words stands in quotes"
                          : "");
}

}  // namespace

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    const bool is_hidden = command->get_group().empty();
    if (!is_hidden) names.push_back(command->get_name());
  }
  return names;
}

std::string UsageMessage(const CLI::App* app, const CLI::Error& error) {
  const CLI::App* const command = CommandOf(app);
  std::string fault;
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    fault = OfWords(app, command);
  }
  if (fault.empty()) fault = error.what();
  return absl::StrCat("genzo: ", Printable(fault), "\n`", FullName(command),
                      " --help` tells more\n");
}

}  // namespace genzo
