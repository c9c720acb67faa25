#include "client/upscale_command.h"

#include <filesystem>
#include <iostream>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/event_assembler.h"
#include "base/utf8.h"
#include "client/connection.h"
#include "client/event_printer.h"
#include "client/input_file.h"
#include "client/message_json.h"
#include "client/picture_files.h"
#include "client/sampler_names.h"
#include "genzo/v1/upscaling.grpc.pb.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

// "fox.jpg" -> "FOLDER/fox-1024x768".
std::string ResultStem(const std::string& folder, const std::string& path,
                       const v1::Picture& picture) {
  return (fs::path(folder) / absl::StrCat(fs::path(path).stem().string(), "-",
                                          picture.width(), "x",
                                          picture.height()))
      .string();
}

}  // namespace

UpscaleCommand::UpscaleCommand(CLI::App& app, const std::string& server)
    : command_(app.add_subcommand("upscale", "make pictures larger")),
      server_(server) {
  CLI::App& c = *command_;
  auto* files = c.add_option("file", paths_, "PNG, JPEG or WebP files");
  c.add_option("-u,--upscaler", upscaler_, "with what; see --list");
  auto* factor = c.add_option("-x,--factor", factor_,
                              "how many times larger; the upscaler's own scale "
                              "if absent");
  c.add_option("--size", size_,
               "WIDTH,HEIGHT of the result, in place of --factor")
      ->delimiter(',')
      ->expected(2)
      ->excludes(factor);
  std::set<std::string> formats;
  for (const auto& [name, _] : FormatNames()) formats.insert(name);
  c.add_option("--format", format_, "file format of the results")
      ->transform(CLI::IsMember(formats, CLI::ignore_case));
  c.add_option("--quality", quality_, "of JPEG and WebP, 1 to 100");
  c.add_option("-o,--output", output_folder_, kOutputHelp)
      ->capture_default_str();
  c.add_flag("--list", list_, "list what the server can enlarge with")
      ->excludes(files);
  c.add_flag("--json", json_,
             "a JSON object an event, for scripts, or the list as JSON");
}

ExitStatus UpscaleCommand::Run() const {
  if (list_) return List();
  if (paths_.empty()) return Fail("a file is missing", kExitUsage);
  const absl::Status writable = CheckOutputFolder(output_folder_);
  if (!writable.ok()) return Fail(writable.message(), kExitFailed);
  // A file that is none keeps no other waiting; a server that is not there, or
  // is another, all of them.
  ExitStatus first = kExitOk;
  for (const std::string& path : paths_) {
    const ExitStatus status = Upscale(path);
    if (first == kExitOk) first = status;
    if (status == kExitUnavailable || status == kExitWrongAddress) break;
  }
  return first;
}

ExitStatus UpscaleCommand::List() const {
  grpc::ClientContext context;
  v1::ListUpscalersResponse list;
  const grpc::Status status = v1::Upscaling::NewStub(Connect(server_))
                                  ->ListUpscalers(&context, {}, &list);
  if (!status.ok()) return ReportFailure(status, server_);
  if (json_) return PrintJson(list, Zeros::kPrinted);
  for (const v1::Upscaler& upscaler : list.upscalers()) {
    std::cout << Printable(upscaler.name()) << "  "
              << (upscaler.scale() == 0 ? "any size"
                                        : absl::StrCat("x", upscaler.scale()))
              << "  " << Printable(upscaler.architecture()) << "\n";
  }
  return kExitOk;
}

ExitStatus UpscaleCommand::Upscale(const std::string& path) const {
  auto bytes = ReadInputFile(path);
  if (!bytes.ok()) {
    return Fail(bytes.status().message(), kExitUsage);
  }
  v1::UpscaleRequest request;
  request.mutable_picture()->set_data(*std::move(bytes));
  request.set_upscaler(upscaler_);
  if (factor_) request.set_factor(*factor_);
  if (!size_.empty()) {
    request.set_width(size_[0]);
    request.set_height(size_[1]);
  }
  if (!format_.empty()) {
    request.mutable_output()->set_format(
        static_cast<v1::ImageFormat>(FormatNames().at(format_)));
  }
  if (quality_) request.mutable_output()->set_quality(*quality_);
  const auto printer = MakeEventPrinter({.json = json_, .enlarges = true});
  EventAssembler assembler;
  grpc::ClientContext context;
  const auto stub = v1::Upscaling::NewStub(Connect(server_));
  const auto stream = stub->Upscale(&context, request);
  v1::JobEvent message;
  std::string failure = absl::StrCat("no larger picture of ", path, " came");
  while (stream->Read(&message)) {
    const auto event = assembler.Add(std::move(message));
    if (!event.has_value()) continue;
    std::string result;
    if (event->has_image()) {
      const v1::Picture& picture = event->image().picture();
      const auto written =
          WriteNewPicture(ResultStem(output_folder_, path, picture), picture);
      result = written.ok() ? *written : "(not written)";
      failure = std::string(written.status().message());
    }
    printer->Show(*event, result);
  }
  const grpc::Status status = stream->Finish();
  if (!status.ok()) {
    return Fail(absl::StrCat(path, ": ", Describe(status, server_)),
                ExitStatusOf(status));
  }
  return failure.empty() ? kExitOk : Fail(failure, kExitFailed);
}

}  // namespace genzo
