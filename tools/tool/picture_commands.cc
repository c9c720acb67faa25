#include "tools/tool/picture_commands.h"

#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/utf8.h"
#include "tools/tool/picture_report.h"
#include "worker/media/picture_decoder.h"
#include "worker/vision/picture_judges.h"

namespace genzo {
namespace {

constexpr char kAny[] = "any";

struct ScoreOptions {
  std::vector<std::string> paths;
  std::string prompt;
  ScorerConfig scorer{.id = kAny, .path = {}, .aesthetic_head = {}};
  std::string checker;
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

absl::Status In(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(path, ": ", status.message()));
}

absl::Status ScoreFile(const ScoreOptions& options, const std::string& path,
                       PictureJudges& judges) {
  const auto pixels = DecodePicture(ReadFile(path), PictureLimits());
  if (!pixels.ok()) return In(path, pixels.status());
  std::string line;
  if (!options.scorer.path.empty()) {
    const auto scores =
        judges.Score({.scorer = kAny, .model = ""}, options.prompt, /*count=*/1,
                     [&](size_t) { return *pixels; });
    if (!scores.ok()) return scores.status();
    absl::StrAppendFormat(&line, "%8.3f  ", scores->front());
  }
  if (!options.checker.empty()) {
    const auto verdict = judges.Check("", *pixels);
    if (!verdict.ok()) return verdict.status();
    absl::StrAppendFormat(&line, "%-4s  ", verdict->unsafe ? "nsfw" : "safe");
  }
  std::cout << line << Printable(path) << "\n";
  return absl::OkStatus();
}

absl::Status Score(const ScoreOptions& options) {
  if (options.scorer.path.empty() && options.checker.empty()) {
    return absl::InvalidArgumentError("--clip or --safety-checker is missing");
  }
  PictureJudges judges({options.scorer}, options.checker,
                       c10::Device(c10::kCPU));
  for (const std::string& path : options.paths) {
    const absl::Status scored = ScoreFile(options, path, judges);
    if (!scored.ok()) return scored;
  }
  return absl::OkStatus();
}

void AddScoreCommand(CLI::App& app, absl::Status& result) {
  const auto options = std::make_shared<ScoreOptions>();
  CLI::App* const command =
      app.add_subcommand("score", "scores pictures, without a server");
  command->add_option("FILES", options->paths, "PNG, JPEG or WebP files")
      ->required()
      ->check(CLI::ExistingFile);
  auto* clip = command
                   ->add_option("--clip", options->scorer.path,
                                "folder of a CLIP: how well a picture fits "
                                "--prompt, a hundred times the cosine")
                   ->check(CLI::ExistingDirectory);
  command->add_option("-p,--prompt", options->prompt,
                      "what the pictures are to show");
  command
      ->add_option("--aesthetic", options->scorer.aesthetic_head,
                   "folder of a head over --clip: how much people would like a "
                   "picture, about 1 to 10")
      ->needs(clip)
      ->check(CLI::ExistingDirectory);
  command
      ->add_option("--safety-checker", options->checker,
                   "folder of a safety checker: safe or nsfw")
      ->check(CLI::ExistingDirectory);
  command->callback([options, &result] { result = Score(*options); });
}

void AddReadCommand(CLI::App& app, absl::Status& result) {
  const auto path = std::make_shared<std::string>();
  CLI::App* const command = app.add_subcommand(
      "read", "prints what is in a picture, and how it is painted again");
  command->add_option("FILE", *path, "a PNG, JPEG or WebP file")
      ->required()
      ->check(CLI::ExistingFile);
  command->callback([path, &result] {
    const auto report = ReportPicture(ReadFile(*path));
    result = report.ok() ? absl::OkStatus() : In(*path, report.status());
    if (report.ok()) std::cout << *report;
  });
}

}  // namespace

void AddPictureCommands(CLI::App& app, absl::Status& result) {
  AddReadCommand(app, result);
  AddScoreCommand(app, result);
}

}  // namespace genzo
