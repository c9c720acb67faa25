#include "gateway/mcp_tools.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gateway/door_error.h"
#include "gateway/mcp_arguments.h"
#include "gateway/painting.h"
#include "gateway/picture_store.h"
#include "gateway/proto_json.h"

namespace genzo {

using nlohmann::json;

namespace {

constexpr int kIdBytes = 16;

json Text(const std::string& text) {
  return {{"type", "text"}, {"text", text}};
}

// "1 of 2 pictures was withheld by the server's policy: safety "refuse"".
std::string WordsOfWithheld(const Painting& painting) {
  const std::string policy = absl::AsciiStrToLower(absl::StripPrefix(
      v1::SafetyPolicy_Name(painting.resolved.safety_policy()),
      "SAFETY_POLICY_"));
  const size_t all = painting.images.size() + painting.withheld;
  return absl::StrCat(
      painting.withheld, " of ", all, all == 1 ? " picture" : " pictures",
      painting.withheld == 1 ? " was" : " were",
      " withheld by the server's policy: safety \"", policy, "\"");
}

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
  if (painting.withheld > 0) {
    account["withheld"] = painting.withheld;
    content.push_back(Text(WordsOfWithheld(painting)));
  }
  content.push_back(Text(Dump(account)));
  return {{"content", content},
          {"isError", painting.images.empty() && painting.withheld > 0}};
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
  call.answer->CountIn("tile");
  const auto live = call.calls.Begin(call.key);
  const auto on_event = [answer = call.answer,
                         live](const v1::JobEvent& event) {
    answer->Progress(event);
  };
  const CancelStream cancel = call.backend.Upscale(
      call.keys, *request, Collecting(on_event, Finishing(call.answer)));
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

// Adds the lists in `more` to `told`, or answers why there are none.
template <typename List>
bool Add(const absl::StatusOr<List>& more, const McpAnswerRef& answer,
         json& told) {
  if (!more.ok()) answer->Fail(more.status());
  if (more.ok()) told.update(json::parse(ToJson(*more)));
  return more.ok();
}

// All names that the other tools take, in one list, one call after the other.
void ListModels(const McpToolCall& call) {
  const absl::Status read = ReadMcpNothing(call.arguments);
  if (!read.ok()) return call.answer->Fail(read);
  const auto told = std::make_shared<json>(json::object());
  const auto scorers =
      [answer = call.answer,
       told](const absl::StatusOr<v1::ListScorersResponse>& list) {
        if (!Add(list, answer, *told)) return;
        told->erase("next_page_token");
        answer->FinishWithText(Dump(*told));
      };
  const auto upscalers =
      [&backend = call.backend, keys = call.keys, answer = call.answer, told,
       scorers](const absl::StatusOr<v1::ListUpscalersResponse>& list) {
        if (Add(list, answer, *told)) backend.ListScorers(keys, scorers);
      };
  const auto loras =
      [&backend = call.backend, keys = call.keys, answer = call.answer, told,
       upscalers](const absl::StatusOr<v1::LoraRegistryListResponse>& list) {
        if (Add(list, answer, *told)) backend.ListUpscalers(keys, upscalers);
      };
  call.backend.ListModels(
      call.keys,
      [&backend = call.backend, keys = call.keys, answer = call.answer, told,
       loras](const absl::StatusOr<v1::ListModelsResponse>& list) {
        if (Add(list, answer, *told)) backend.ListLoras(keys, loras);
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
    {"list_models",
     "Lists the models with their sizes, samplers, controlnets and "
     "ip_adapters, and the server's loras, upscalers and scorers.",
     NoArguments, "", ListModels}};

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
