#include "client/models_command.h"

#include <iostream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/utf8.h"
#include "client/connection.h"
#include "client/message_json.h"
#include "client/model_list.h"
#include "client/sampler_names.h"
#include "genzo/v1/model_admin.grpc.pb.h"
#include "genzo/v1/model_registry.grpc.pb.h"

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
  const std::string error = Printable(model.error().message());
  if (model.state() != v1::Model::STATE_RESIDENT) {
    std::cout << (error.empty() ? "" : ": ") << error << "\n";
    return;
  }
  std::vector<std::string> samplers;
  for (const v1::SamplerSupport& row : model.samplers()) {
    samplers.push_back(SamplerName({.sampler = row.sampler()}));
  }
  const v1::ModelLimits& limits = model.limits();
  std::cout << absl::StrFormat(
      "  %s, %s, %.1f MB%s\n"
      "  size %dx%d, %d to %d in steps of %d; up to %d steps, %d images\n"
      "  samplers %s\n",
      model.family(), model.dtype(), model.weight_bytes() / 1e6,
      model.pinned() ? ", pinned" : "", model.default_width(),
      model.default_height(), limits.min_side(), limits.max_side(),
      limits.size_multiple(), limits.max_steps(), limits.max_image_count(),
      absl::StrJoin(samplers, ", "));
  for (const auto& [what, names] :
       {std::pair("controls", &model.controlnets()),
        std::pair("image prompts", &model.ip_adapters())}) {
    if (names->empty()) continue;
    std::cout << "  " << what << " " << absl::StrJoin(*names, ", ") << "\n";
  }
  if (!error.empty()) {
    std::cout << "  its newer files cannot be used: " << error << "\n";
  }
}

}  // namespace

ModelsCommand::ModelsCommand(CLI::App& app, const std::string& server)
    : command_(app.add_subcommand("models", "list the server's models")),
      load_(command_->add_subcommand(
          "load", "bring a model into memory, or back into use")),
      unload_(command_->add_subcommand(
          "unload", "free a model's memory once its jobs are done")),
      drain_(command_->add_subcommand(
          "drain", "take a model out of use: no new jobs, then unload")),
      server_(server) {
  command_->add_flag("--json", json_, "the server's answer as JSON");
  command_->require_subcommand(0, 1);
  for (CLI::App* order : {load_, unload_, drain_}) {
    order->add_option("id", id_, "the model's id; see `genzo models`")
        ->required();
    order->add_flag("--json", json_, "the server's answer as JSON");
  }
  load_->add_flag("--pin", pin_, "keep it in memory until it is unloaded");
  command_->footer(
      "Orders are an administrator's; if the configuration has admin_listen, "
      "--server\nnames that address.");
}

ExitStatus ModelsCommand::Run() const {
  return command_->get_subcommands().empty() ? List() : Order();
}

ExitStatus ModelsCommand::Order() const {
  const auto stub = v1::ModelAdmin::NewStub(Connect(server_));
  grpc::ClientContext context;
  v1::Model model;
  const auto send = [&](auto request, auto method) {
    request.set_id(id_);
    return (*stub.*method)(&context, request, &model);
  };
  grpc::Status status;
  if (load_->parsed()) {
    v1::LoadModelRequest request;
    if (pin_) request.set_pinned(true);
    status = send(request, &v1::ModelAdmin::Stub::LoadModel);
  } else if (unload_->parsed()) {
    status = send(v1::UnloadModelRequest(), &v1::ModelAdmin::Stub::UnloadModel);
  } else {
    status = send(v1::DrainModelRequest(), &v1::ModelAdmin::Stub::DrainModel);
  }
  if (!status.ok()) return ReportFailure(status, server_);
  if (json_) return PrintJson(model, Zeros::kLeftOut);
  Print(model);
  return kExitOk;
}

ExitStatus ModelsCommand::List() const {
  const auto stub = v1::ModelRegistry::NewStub(Connect(server_));
  v1::ListModelsResponse response;
  const grpc::Status status = ListModels(*stub, response);
  if (!status.ok()) return ReportFailure(status, server_);
  if (json_) return PrintJson(response, Zeros::kLeftOut);
  for (const v1::Model& model : response.models()) Print(model);
  return kExitOk;
}

}  // namespace genzo
