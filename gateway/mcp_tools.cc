#include "gateway/mcp_tools.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "gateway/door_error.h"
#include "gateway/mcp_arguments.h"
#include "gateway/painting.h"
#include "gateway/picture_store.h"
#include "gateway/proto_json.h"

namespace genzo {

using nlohmann::json;

namespace {

constexpr int kIdBytes = 16;

json PaintingContent(const Painting& painting) {
  json content = json::array();
  json pictures = json::array();
  for (const auto& [index, image] : painting.images) {
    const v1::Picture& picture = image.picture();
    content.push_back({{"type", "image"},
                       {"data", absl::Base64Escape(picture.data())},
                       {"mimeType", picture.media_type()}});
    json told = FactsOf(image);
    told["width"] = picture.width();
    told["height"] = picture.height();
    pictures.push_back(std::move(told));
  }
  json account = {{"job_id", painting.job_id}, {"images", pictures}};
  if (painting.withheld > 0) account["withheld"] = painting.withheld;
  content.push_back({{"type", "text"}, {"text", Dump(account)}});
  return {{"content", content}, {"isError", false}};
}

std::function<void(absl::StatusOr<Painting>)> Finishing(McpAnswerRef answer) {
  return [answer = std::move(answer)](absl::StatusOr<Painting> painting) {
    if (!painting.ok()) return answer->Fail(painting.status());
    answer->Finish(PaintingContent(*painting));
  };
}

void PaintJob(const McpToolCall& call, bool is_edit) {
  auto request = ReadMcpPaint(call.arguments, is_edit, call.names);
  if (!request.ok()) return call.answer->Fail(request.status());
  // A connection that ends cancels nothing: get_job has the pictures, which are
  // kept of jobs with an id.
  request->set_request_id(RequestIdOf(RandomHex(kIdBytes)));
  request->set_on_disconnect(v1::ON_DISCONNECT_CONTINUE);
  const auto on_event = [&backend = call.backend, keys = call.keys,
                         answer = call.answer,
                         live = call.calls.Begin(call.key),
                         is_known = false](const v1::JobEvent& event) mutable {
    if (!std::exchange(is_known, true)) {
      live->SetCancel([&backend, keys, id = event.job_id()] {
        backend.CancelJob(keys, id, [](const absl::StatusOr<v1::Job>&) {});
      });
    }
    answer->Progress(event);
  };
  Paint(call.backend, call.keys, *request, call.answer->exchange(), on_event,
        Finishing(call.answer));
}

void GenerateImage(const McpToolCall& call) {
  PaintJob(call, /*is_edit=*/false);
}
void EditImage(const McpToolCall& call) { PaintJob(call, /*is_edit=*/true); }

void UpscaleImage(const McpToolCall& call) {
  const auto request = ReadMcpUpscale(call.arguments);
  if (!request.ok()) return call.answer->Fail(request.status());
  const auto live = call.calls.Begin(call.key);
  const CancelStream cancel = call.backend.Upscale(
      call.keys, *request,
      Collecting([live](const v1::JobEvent&) {}, Finishing(call.answer)));
  live->SetCancel(cancel);
  call.answer->exchange().OnGone(cancel);
}

void ScoreImages(const McpToolCall& call) {
  const auto request = ReadMcpScore(call.arguments, call.names);
  if (!request.ok()) return call.answer->Fail(request.status());
  call.backend.Score(
      call.keys, *request,
      [answer = call.answer](absl::StatusOr<v1::ScoreResponse> response) {
        if (!response.ok()) return answer->Fail(response.status());
        answer->FinishWithText(ToJson(*response));
      });
}

// A job as text, and its pictures if it has some.
void GetJob(const McpToolCall& call) {
  const auto id = ReadMcpJob(call.arguments);
  if (!id.ok()) return call.answer->Fail(id.status());
  call.backend.GetJob(
      call.keys, *id,
      [&backend = call.backend, keys = call.keys,
       answer = call.answer](absl::StatusOr<v1::Job> job) {
        if (!job.ok()) return answer->Fail(job.status());
        if (job->state() != v1::JOB_STATE_SUCCEEDED) {
          return answer->FinishWithText(ToJson(*job));
        }
        v1::WatchJobRequest watch;
        watch.set_id(job->id());
        const auto done =
            [answer, told = ToJson(*job)](absl::StatusOr<Painting> painting) {
              // What is known of it, where its pictures are gone.
              if (!painting.ok()) return answer->FinishWithText(told);
              answer->Finish(PaintingContent(*painting));
            };
        answer->exchange().OnGone(
            backend.Watch(keys, watch, Collecting(/*ear=*/nullptr, done)));
      });
}

void ListModels(const McpToolCall& call) {
  const absl::Status read = ReadMcpNothing(call.arguments);
  if (!read.ok()) return call.answer->Fail(read);
  call.backend.ListModels(
      call.keys,
      [answer = call.answer](absl::StatusOr<v1::ListModelsResponse> list) {
        if (!list.ok()) return answer->Fail(list.status());
        answer->FinishWithText(ToJson(*list));
      });
}

json NoArguments() { return json::object(); }

constexpr struct Tool {
  const char* name;
  const char* description;
  json (*arguments)();  // their schemas
  // The arguments that must be there, with commas between.
  const char* required;
  void (*run)(const McpToolCall& call);
} kTools[] = {
    {"generate_image", "Paints pictures from a prompt.", McpPaintArguments,
     "prompt", GenerateImage},
    {"edit_image", "Paints a picture anew, guided by a prompt.",
     McpEditArguments, "prompt,image", EditImage},
    {"upscale_image", "Enlarges a picture.", McpUpscaleArguments, "image",
     UpscaleImage},
    {"score_images",
     "Scores pictures: how well they show a prompt, or how much people like "
     "them.",
     McpScoreArguments, "images", ScoreImages},
    {"get_job", "Tells of a job, with its pictures if it has ended.",
     McpJobArguments, "id", GetJob},
    {"list_models", "Lists the models, their sizes and samplers.", NoArguments,
     "", ListModels}};

}  // namespace

bool RunMcpTool(absl::string_view name, const McpToolCall& call) {
  for (const Tool& tool : kTools) {
    if (name != tool.name) continue;
    tool.run(call);
    return true;
  }
  return false;
}

json McpTools() {
  json tools = json::array();
  for (const Tool& tool : kTools) {
    json required = json::array();
    for (const absl::string_view name :
         absl::StrSplit(tool.required, ',', absl::SkipEmpty())) {
      required.push_back(std::string(name));
    }
    tools.push_back({{"name", tool.name},
                     {"description", tool.description},
                     {"inputSchema",
                      {{"type", "object"},
                       {"properties", tool.arguments()},
                       {"required", std::move(required)}}}});
  }
  return tools;
}

}  // namespace genzo
