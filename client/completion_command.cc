#include "client/completion_command.h"

#include <algorithm>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "base/utf8.h"
#include "client/completions.h"

namespace genzo {
namespace {

// bash replaces $2, what stands behind the last colon or equals sign, and puts
// what it is given on the command line as it is.
constexpr char kBash[] = R"(_genzo() {
  local line=${COMP_LINE:0:COMP_POINT} name quoted
  local kept=${line%"$2"}
  COMPREPLY=()
  while IFS= read -r name; do
    printf -v quoted %q "$name"
    # Behind a quote, only what means itself with and without it.
    if [[ $kept != *[\"\'] || $quoted == "$name" ]]; then
      COMPREPLY+=("$quoted")
    fi
  done < <("${COMP_WORDS[0]}" complete --line "$line" --kept "$kept" \
    2>/dev/null)
}
complete -o default -F _genzo genzo
)";

// PREFIX is the word up to the cursor, without the quote that it begins with.
constexpr char kZsh[] = R"(#compdef genzo
_genzo() {
  local -a candidates
  candidates=("${(@f)$("${(Q)words[1]}" complete -- \
    "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
  if [[ -n "${candidates[1]}" ]]; then compadd -a candidates; else _files; fi
}
compdef _genzo genzo
)";

constexpr char kFish[] = R"(function __genzo_complete
  set -l words (commandline -opc)
  set -l typed (commandline -ot)
  set -l found (command $words[1] complete -- $words "$typed" 2>/dev/null)
  if set -q found[1]
    printf '%s\n' $found
  else
    __fish_complete_path "$typed"
  end
end
complete -c genzo -f -a '(__genzo_complete)'
)";

// As a shell reads a line that is not done: the last word is empty behind a
// space, and a quote may be open.
std::vector<std::string> WordsOf(absl::string_view line) {
  std::vector<std::string> words(1);
  char quote = '\0';
  bool has_begun = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote == '\0' && absl::ascii_isspace(c)) {
      if (std::exchange(has_begun, false)) words.emplace_back();
      continue;
    }
    has_begun = true;
    if (c == quote) {
      quote = '\0';
    } else if (quote == '\0' && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c != '\\' || quote == '\'') {
      words.back() += c;
    } else if (i + 1 < line.size()) {
      const char next = line[++i];
      // In double quotes most backslashes are their own.
      if (quote != '\0' && !absl::StrContains("\"\\$`", next)) {
        words.back() += c;
      }
      words.back() += next;
    }
  }
  return words;
}

}  // namespace

CompletionCommand::CompletionCommand(CLI::App& app, const std::string& server)
    : app_(app),
      server_(server),
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
  complete_->add_option("--line", line_);
  complete_->add_option("--kept", kept_)->needs("--line");
}

ExitStatus CompletionCommand::Run() const {
  if (script_->parsed()) {
    std::cout << (shell_ == "bash" ? kBash : shell_ == "zsh" ? kZsh : kFish);
    return kExitOk;
  }
  const auto words = line_.empty() ? words_ : WordsOf(line_);
  const size_t kept = WordsOf(kept_).back().size();
  const FindNames find_names = [](const std::string& server, NameKind kind) {
    return ServedNames(server, kind);
  };
  for (const std::string& candidate :
       Completions(app_, words, server_, find_names)) {
    // A name that would be more than text is not for a shell.
    if (candidate != Printable(candidate)) continue;
    std::cout << candidate.substr(std::min(kept, candidate.size())) << "\n";
  }
  return kExitOk;
}

}  // namespace genzo
