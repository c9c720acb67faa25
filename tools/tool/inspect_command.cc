#include "tools/tool/inspect_command.h"

#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "tools/tool/model_report.h"

namespace genzo {

void AddInspectCommand(CLI::App& app, absl::Status& result) {
  struct Options {
    ModelFiles model;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const command =
      app.add_subcommand("inspect", "tells what a model consists of");
  command
      ->add_option("MODEL", options->model.path,
                   "a safetensors file or a folder in the diffusers layout")
      ->required();
  command->add_option("--config", options->model.config,
                      "folder with what a single file cannot say");
  command->add_flag("--json", options->json, "as JSON");
  command->callback([options, &result] {
    const auto report = InspectModel(options->model);
    if (!report.ok()) {
      result = report.status();
      return;
    }
    std::cout << (options->json
                      ? report->ToJson().dump(
                            2, ' ', /*ensure_ascii=*/true,
                            nlohmann::json::error_handler_t::replace) +
                            "\n"
                      : report->ToText());
    if (!report->problem.empty()) {
      result = absl::FailedPreconditionError(
          absl::StrCat(report->path, ": is no model that can be served"));
    }
  });
}

}  // namespace genzo
