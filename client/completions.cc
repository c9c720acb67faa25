#include "client/completions.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/sampler_names.h"

namespace genzo {
namespace {

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

void Append(const std::map<std::string, int>& names,
            std::vector<std::string>& candidates) {
  for (const auto& [name, _] : names) candidates.push_back(name);
}

// What only the server can say of an option or a positional; nullopt if that
// is nothing.
std::optional<NameKind> KindOf(const CLI::App& command,
                               const CLI::Option& option) {
  static const auto* const kinds = new std::map<std::string, NameKind>{
      {"--model", NameKind::kModel},
      {"--lora", NameKind::kLora},
      {"--upscaler", NameKind::kUpscaler},
      {"--hires-upscaler", NameKind::kUpscaler},
      {"--scorer", NameKind::kScorer},
      {"watch id", NameKind::kJob},
      {"cancel id", NameKind::kLiveJob},
      {"load id", NameKind::kModel},
      {"unload id", NameKind::kModel},
      {"drain id", NameKind::kModel}};
  const std::string name = option.get_name();
  const auto kind = kinds->find(
      option.get_positional() ? absl::StrCat(command.get_name(), " ", name)
                              : name);
  if (kind == kinds->end()) return std::nullopt;
  return kind->second;
}

// Finds what a value may be, part by part of a command line.
class ValueFinder {
 public:
  ValueFinder(std::string server, const FindNames& find_names)
      : server_(std::move(server)), find_names_(find_names) {}

  void set_server(const std::string& server) { server_ = server; }

  // What `typed` may become as a value of `option`, whatever it begins with.
  std::vector<std::string> Find(const CLI::App& command,
                                const CLI::Option& option,
                                const std::string& typed) const {
    std::vector<std::string> values = ChoicesOf(option);
    const std::string name = option.get_name();
    if (name == "--sampler" || name == "--hires-sampler") {
      Append(SamplerNames(), values);
    } else if (name == "--schedule") {
      Append(ScheduleNames(), values);
    } else if (name == "--hires-upscaler") {
      values = {"latent", "latent-nearest", "latent-bicubic"};
    }
    const auto kind = KindOf(command, option);
    if (kind.has_value()) {
      for (std::string& served : find_names_(server_, *kind)) {
        values.push_back(std::move(served));
      }
    }
    // Of a list, the part behind the last comma.
    const size_t comma = typed.rfind(',');
    if (option.get_delimiter() == ',' && comma != std::string::npos) {
      for (std::string& value : values) {
        value.insert(0, typed, 0, comma + 1);
      }
    }
    return values;
  }

 private:
  std::string server_;
  const FindNames& find_names_;
};

std::vector<const CLI::App*> SubcommandsOf(const CLI::App& command) {
  auto all = command.get_subcommands([](const CLI::App* subcommand) {
    return !subcommand->get_group().empty();  // which hides it
  });
  return {all.begin(), all.end()};
}

// Where a command line has got to, word by word.
class Walk {
 public:
  Walk(const CLI::App& app, std::string server, const FindNames& find_names)
      : command_(&app), finder_(std::move(server), find_names) {}

  // Goes over a word that is complete.
  void Pass(const std::string& word) {
    if (awaits_value_ != nullptr) {
      Take(*std::exchange(awaits_value_, nullptr), word);
      return;
    }
    if (absl::StartsWith(word, "-")) {
      const auto [name, value] = Sides(word);
      const CLI::Option* const option = FindOption(*command_, name);
      if (option == nullptr || !TakesValue(*option)) return;
      const bool has_value = name.size() < word.size();
      if (has_value) return Take(*option, value);
      awaits_value_ = option;
      return;
    }
    for (const CLI::App* subcommand : SubcommandsOf(*command_)) {
      if (!subcommand->check_name(word)) continue;
      command_ = subcommand;
      return;
    }
    has_positional_ = true;
  }

  // What the word that is being typed may become, and more.
  std::vector<std::string> Candidates(const std::string& typed) const {
    if (awaits_value_ != nullptr) {
      return finder_.Find(*command_, *awaits_value_, typed);
    }
    if (!absl::StartsWith(typed, "-")) return Words(typed);
    const auto [name, value] = Sides(typed);
    std::vector<std::string> candidates;
    const CLI::Option* const option = FindOption(*command_, name);
    if (name.size() < typed.size() && option != nullptr) {
      candidates = finder_.Find(*command_, *option, value);
      for (std::string& one : candidates) one = absl::StrCat(name, "=", one);
      return candidates;
    }
    ForEachOption(*command_, [&](const CLI::Option& known) {
      for (std::string& one : NamesOf(known)) {
        candidates.push_back(std::move(one));
      }
    });
    return candidates;
  }

 private:
  // "--name=value".
  static std::pair<std::string, std::string> Sides(const std::string& word) {
    return absl::StrSplit(word, absl::MaxSplits('=', 1));
  }

  void Take(const CLI::Option& option, const std::string& value) {
    if (option.get_name() == "--server") finder_.set_server(value);
  }

  std::vector<std::string> Words(const std::string& typed) const {
    std::vector<std::string> words;
    for (const CLI::App* subcommand : SubcommandsOf(*command_)) {
      words.push_back(subcommand->get_name());
    }
    for (const CLI::Option* option : command_->get_options()) {
      if (!option->get_positional() || has_positional_) continue;
      for (std::string& value : finder_.Find(*command_, *option, typed)) {
        words.push_back(std::move(value));
      }
    }
    return words;
  }

  const CLI::App* command_;
  const CLI::Option* awaits_value_ = nullptr;
  bool has_positional_ = false;
  ValueFinder finder_;
};

}  // namespace

std::vector<std::string> Completions(const CLI::App& app,
                                     const std::vector<std::string>& words,
                                     const std::string& server,
                                     const FindNames& find_names) {
  if (words.size() < 2) return {};
  Walk walk(app, server, find_names);
  for (size_t i = 1; i + 1 < words.size(); ++i) walk.Pass(words[i]);
  const std::string& typed = words.back();
  std::vector<std::string> candidates = walk.Candidates(typed);
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

}  // namespace genzo
