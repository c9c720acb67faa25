#include "client/completion_command.h"

#include <algorithm>
#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace genzo {
namespace {

constexpr char kBash[] = R"(_genzo() {
  local IFS=$'\n'
  COMPREPLY=($("${COMP_WORDS[0]}" complete -- \
    "${COMP_WORDS[@]:0:COMP_CWORD+1}" 2>/dev/null))
}
complete -o default -F _genzo genzo
)";

constexpr char kZsh[] = R"(#compdef genzo
_genzo() {
  local -a candidates
  candidates=("${(@f)$("${words[1]}" complete -- "${(@)words[1,CURRENT]}" \
    2>/dev/null)}")
  if [[ -n "${candidates[1]}" ]]; then compadd -a candidates; else _files; fi
}
compdef _genzo genzo
)";

constexpr char kFish[] = R"(function __genzo_complete
  set -l words (commandline -opc) (commandline -ct)
  command $words[1] complete -- $words 2>/dev/null
end
complete -c genzo -a '(__genzo_complete)'
)";

// All names of an option, as they are typed.
std::vector<std::string> NamesOf(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_lnames()) {
    names.push_back("--" + name);
  }
  for (const std::string& name : option.get_snames()) {
    names.push_back("-" + name);
  }
  return names;
}

// The commands that know `word` at this place: the last one and, as options
// fall through, those around it.
template <typename Visit>
void ForEachOption(const CLI::App& command, const Visit& visit) {
  for (const CLI::App* app = &command; app != nullptr;
       app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) visit(*option);
  }
}

const CLI::Option* FindOption(const CLI::App& command,
                              const std::string& name) {
  const CLI::Option* found = nullptr;
  ForEachOption(command, [&](const CLI::Option& option) {
    const auto names = NamesOf(option);
    if (found == nullptr &&
        std::find(names.begin(), names.end(), name) != names.end()) {
      found = &option;
    }
  });
  return found;
}

// What CLI::IsMember says of itself: "TEXT:{a,b}".
std::vector<std::string> ChoicesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t begin = type.find('{');
  const size_t end = type.rfind('}');
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    return {};
  }
  return absl::StrSplit(type.substr(begin + 1, end - begin - 1), ',',
                        absl::SkipEmpty());
}

bool TakesValue(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

std::vector<const CLI::App*> SubcommandsOf(const CLI::App& command) {
  auto all = command.get_subcommands([](const CLI::App* subcommand) {
    return !subcommand->get_group().empty();  // which hides it
  });
  return {all.begin(), all.end()};
}

}  // namespace

std::vector<std::string> Completions(const CLI::App& app,
                                     const std::vector<std::string>& words) {
  if (words.empty()) return {};
  const CLI::App* command = &app;
  const CLI::Option* awaits_value = nullptr;
  for (size_t i = 1; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (awaits_value != nullptr) {
      awaits_value = nullptr;
      continue;
    }
    if (absl::StartsWith(word, "-")) {
      const CLI::Option* const option = FindOption(*command, word);
      if (option != nullptr && TakesValue(*option)) awaits_value = option;
      continue;
    }
    for (const CLI::App* subcommand : SubcommandsOf(*command)) {
      if (subcommand->check_name(word)) command = subcommand;
    }
  }
  const std::string& typed = words.back();
  std::vector<std::string> candidates;
  if (awaits_value != nullptr) {
    candidates = ChoicesOf(*awaits_value);
  } else if (absl::StartsWith(typed, "-")) {
    ForEachOption(*command, [&](const CLI::Option& option) {
      for (std::string& name : NamesOf(option)) {
        candidates.push_back(std::move(name));
      }
    });
  } else {
    for (const CLI::App* subcommand : SubcommandsOf(*command)) {
      candidates.push_back(subcommand->get_name());
    }
    for (const CLI::Option* option : command->get_options()) {
      if (!option->get_positional()) continue;
      for (std::string& choice : ChoicesOf(*option)) {
        candidates.push_back(std::move(choice));
      }
    }
  }
  candidates.erase(std::remove_if(candidates.begin(), candidates.end(),
                                  [&](const std::string& candidate) {
                                    return !absl::StartsWith(candidate, typed);
                                  }),
                   candidates.end());
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()),
                   candidates.end());
  return candidates;
}

CompletionCommand::CompletionCommand(CLI::App& app)
    : app_(app),
      script_(app.add_subcommand(
          "completion",
          "print a script by which a shell completes command lines")),
      complete_(app.add_subcommand("complete", "what may come next")) {
  script_->add_option("shell", shell_, "whose script")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  script_->footer(
      "bash: eval \"$(genzo completion bash)\"; zsh: eval \"$(genzo completion "
      "zsh)\"\nafter compinit; fish: genzo completion fish | source");
  complete_->group("");
  complete_->add_option("words", words_);
}

ExitStatus CompletionCommand::Run() const {
  if (script_->parsed()) {
    std::cout << (shell_ == "bash" ? kBash : shell_ == "zsh" ? kZsh : kFish);
    return kExitOk;
  }
  for (const std::string& candidate : Completions(app_, words_)) {
    std::cout << candidate << "\n";
  }
  return kExitOk;
}

}  // namespace genzo
