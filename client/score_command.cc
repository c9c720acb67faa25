#include "client/score_command.h"

#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/utf8.h"
#include "client/connection.h"
#include "client/input_file.h"
#include "client/message_json.h"
#include "genzo/v1/scoring.grpc.pb.h"
#include "nlohmann/json.hpp"

namespace genzo {

namespace {

// "pictures[1].data is ..." -> "FILE is ...".
std::string WithFiles(std::string text, const std::vector<std::string>& paths) {
  for (size_t i = 0; i < paths.size(); ++i) {
    absl::StrReplaceAll({{absl::StrCat("pictures[", i, "].data"), paths[i]}},
                        &text);
  }
  return text;
}

}  // namespace

ScoreCommand::ScoreCommand(CLI::App& app, const std::string& server)
    : command_(app.add_subcommand("score", "have pictures scored")),
      server_(server) {
  auto* files = command_->add_option("files", paths_, "PNG, JPEG or WebP files")
                    ->check(CLI::ExistingFile);
  command_->add_option("-p,--prompt", prompt_, "what they are to show");
  auto* scorer =
      command_->add_option("--scorer", scorer_, "who scores; see --list");
  command_
      ->add_option("-m,--model", model_,
                   "whose own scorer scores; the default model's if absent")
      ->excludes(scorer);
  command_->add_flag("--list", list_, "list who scores besides the models' own")
      ->excludes(files);
  command_->add_flag("--json", json_,
                     "a JSON object a file, or the list as JSON");
}

ExitStatus ScoreCommand::List() const {
  grpc::ClientContext context;
  v1::ListScorersResponse list;
  const grpc::Status status = v1::PictureScoring::NewStub(Connect(server_))
                                  ->ListScorers(&context, {}, &list);
  if (!status.ok()) return ReportFailure(status, server_);
  if (json_) return PrintJson(list, Zeros::kPrinted);
  if (list.scorers().empty()) {
    std::cerr << "genzo: no scorers but the models' own" << std::endl;
  }
  for (const v1::Scorer& scorer : list.scorers()) {
    std::cout << Printable(scorer.name()) << "  "
              << (scorer.reads_prompt() ? "how well it fits the prompt"
                                        : "how much people would like it")
              << "\n";
  }
  return kExitOk;
}

ExitStatus ScoreCommand::Run() const {
  if (list_) return List();
  if (paths_.empty()) {
    return Fail("a file is missing", kExitUsage);
  }
  v1::ScoreRequest request;
  request.set_prompt(prompt_);
  request.set_scorer(scorer_);
  request.set_model(model_);
  for (const std::string& path : paths_) {
    auto bytes = ReadInputFile(path);
    if (!bytes.ok()) return Fail(bytes.status().message(), kExitUsage);
    request.add_pictures()->set_data(*std::move(bytes));
  }
  grpc::ClientContext context;
  v1::ScoreResponse response;
  const grpc::Status status = v1::PictureScoring::NewStub(Connect(server_))
                                  ->Score(&context, request, &response);
  if (!status.ok()) {
    return Fail(WithFiles(Describe(status, server_), paths_),
                ExitStatusOf(status));
  }
  for (int i = 0; i < response.scores_size(); ++i) {
    if (json_) {
      std::cout << nlohmann::json{{"path", paths_[i]},
                                  {"score", response.scores(i).score()}}
                       .dump(-1, ' ', /*ensure_ascii=*/false,
                             nlohmann::json::error_handler_t::replace)
                << "\n";
      continue;
    }
    std::cout << absl::StrFormat("%8.3f  %s\n", response.scores(i).score(),
                                 Printable(paths_[i]));
  }
  return kExitOk;
}

}  // namespace genzo
