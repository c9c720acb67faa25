#include "client/loras_command.h"

#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/utf8.h"
#include "client/connection.h"
#include "client/message_json.h"
#include "genzo/v1/lora_registry.grpc.pb.h"

namespace genzo {
namespace {

// Every page.
grpc::Status ListLoras(v1::LoraRegistry::Stub& stub, const std::string& model,
                       v1::LoraRegistryListResponse& loras) {
  v1::LoraRegistryListRequest request;
  request.set_model(model);
  do {
    grpc::ClientContext context;
    v1::LoraRegistryListResponse page;
    const grpc::Status status = stub.List(&context, request, &page);
    if (!status.ok()) return status;
    request.set_page_token(page.next_page_token());
    page.clear_next_page_token();
    loras.MergeFrom(page);
  } while (!request.page_token().empty());
  return grpc::Status::OK;
}

void Print(const v1::Lora& lora) {
  std::cout << Printable(lora.name());
  if (lora.has_error()) {
    std::cout << "  cannot be used: " << Printable(lora.error().message())
              << "\n";
    return;
  }
  std::cout << absl::StrFormat("  %s, rank %d, %.1f MB; ",
                               Printable(lora.family()), lora.rank(),
                               lora.file_bytes() / 1e6)
            // The server compares it with a model once that is loaded.
            << (lora.models_size() > 0
                    ? absl::StrCat(
                          "for ", Printable(absl::StrJoin(lora.models(), ", ")))
                    : "fits none of the models loaded so far")
            << "\n";
  if (lora.models().empty()) {
    for (const v1::LoraMisfit& misfit : lora.misfits()) {
      std::cout << "  not " << Printable(misfit.model()) << ": "
                << Printable(misfit.message()) << "\n";
    }
  }
  if (!lora.unread_tensors().empty()) {
    std::cout << "  not read: "
              << Printable(absl::StrJoin(lora.unread_tensors(), ", ")) << "\n";
  }
}

}  // namespace

LorasCommand::LorasCommand(CLI::App& app, const std::string& server)
    : command_(app.add_subcommand("loras", "list the server's adapters")),
      server_(server) {
  command_->add_option("-m,--model", model_, "only those that it takes");
  command_->add_flag("--json", json_, "the server's answer as JSON");
}

ExitStatus LorasCommand::Run() const {
  const auto stub = v1::LoraRegistry::NewStub(Connect(server_));
  v1::LoraRegistryListResponse response;
  const grpc::Status status = ListLoras(*stub, model_, response);
  if (!status.ok()) return ReportFailure(status, server_);
  if (json_) return PrintJson(response, Zeros::kLeftOut);
  for (const v1::Lora& lora : response.loras()) Print(lora);
  return kExitOk;
}

}  // namespace genzo
