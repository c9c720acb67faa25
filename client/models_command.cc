#include "client/models_command.h"

#include <iostream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/utf8.h"
#include "client/connection.h"
#include "client/model_list.h"
#include "client/sampler_names.h"
#include "client/standard_output.h"
#include "genzo/v1/model_registry.grpc.pb.h"
#include "google/protobuf/util/json_util.h"

namespace genzo {
namespace {

std::string StateName(v1::Model::State state) {
  return absl::AsciiStrToLower(
      absl::StripPrefix(v1::Model::State_Name(state), "STATE_"));
}

void Print(const v1::Model& model) {
  std::cout << absl::StrFormat("%s%s  %s", model.id(),
                               model.is_default() ? " (default)" : "",
                               StateName(model.state()));
  if (model.has_error()) {
    std::cout << ": " << Printable(model.error().message()) << "\n";
    return;
  }
  if (model.state() != v1::Model::STATE_RESIDENT) {
    std::cout << "\n";
    return;
  }
  std::vector<std::string> samplers;
  for (const v1::SamplerSupport& row : model.samplers()) {
    samplers.push_back(SamplerName({.sampler = row.sampler()}));
  }
  const v1::ModelLimits& limits = model.limits();
  std::cout << absl::StrFormat(
      "  %s, %s, %.1f MB\n"
      "  size %dx%d, %d to %d in steps of %d; up to %d steps, %d images\n"
      "  samplers %s\n",
      model.family(), model.dtype(), model.weight_bytes() / 1e6,
      model.default_width(), model.default_height(), limits.min_side(),
      limits.max_side(), limits.size_multiple(), limits.max_steps(),
      limits.max_image_count(), absl::StrJoin(samplers, ", "));
  for (const auto& [what, names] :
       {std::pair("controls", &model.controlnets()),
        std::pair("image prompts", &model.ip_adapters())}) {
    if (names->empty()) continue;
    std::cout << "  " << what << " " << absl::StrJoin(*names, ", ") << "\n";
  }
}

}  // namespace

ModelsCommand::ModelsCommand(CLI::App& app, const std::string& server)
    : command_(app.add_subcommand("models", "list the server's models")),
      server_(server) {
  command_->add_flag("--json", json_, "the server's answer as JSON");
}

ExitStatus ModelsCommand::Run() const {
  const auto stub = v1::ModelRegistry::NewStub(Connect(server_));
  v1::ListModelsResponse response;
  const grpc::Status status = ListModels(*stub, response);
  if (!status.ok()) {
    std::cerr << "genzo: " << Describe(status, server_) << std::endl;
    return ExitStatusOf(status);
  }
  if (json_) {
    std::string text;
    google::protobuf::util::JsonPrintOptions options;
    options.preserve_proto_field_names = true;
    if (!google::protobuf::util::MessageToJsonString(response, &text, options)
             .ok()) {
      return kExitFailed;
    }
    std::cout << text << std::endl;
    return FlushOutput(kExitOk);
  }
  for (const v1::Model& model : response.models()) Print(model);
  return FlushOutput(kExitOk);
}

}  // namespace genzo
