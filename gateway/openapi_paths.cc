#include "gateway/openapi_paths.h"

#include <initializer_list>
#include <utility>

#include "gateway/openapi_values.h"

namespace genzo {

using nlohmann::json;

namespace {

json JsonContent(const json& schema) {
  return {{"application/json", {{"schema", schema}}}};
}

json Answer(const std::string& description, const json& content) {
  return {{"description", description}, {"content", content}};
}

json Parameter(const std::string& name, const std::string& in,
               const std::string& description, const json& schema) {
  return {{"name", name},
          {"in", in},
          {"description", description},
          {"required", in == "path"},
          {"schema", schema}};
}

json IdempotencyKey() {
  return Parameter("idempotency-key", "header",
                   "A job of this key is made once. Sent again it leads to the "
                   "job that there is; a client that leaves does not end it.",
                   {{"type", "string"}, {"pattern", "^[!-~]{1,255}$"}});
}
json LastEventIdOf(const std::string& description) {
  return Parameter("last-event-id", "header", description,
                   {{"type", "string"}, {"pattern", "^[0-9]{1,18}$"}});
}

// The answers of every operation besides its own.
json Answers(const std::string& error_schema, const std::string& status,
             const json& own) {
  json answers = {{status, own}};
  const json content = JsonContent(Ref(error_schema));
  for (const auto& [code, description] :
       std::initializer_list<std::pair<const char*, const char*>>{
           {"400", "A field or the body is wrong; the answer names it."},
           {"401", "The key is missing or wrong."},
           {"403", "The key or the page may not do this."},
           {"404", "There is no such thing."},
           {"409", "The idempotency key stands for another request."},
           {"413", "The body is too large."},
           {"415", "The body is of another type."},
           {"422", "The model or the job cannot do this."},
           {"429", "Too much at once; retry-after tells when to come back."},
           {"500", "The server failed."},
           {"501", "The service does not do this."},
           {"503", "The service is not there; try again."},
           {"504", "The time limit has passed."}}) {
    answers[code] = Answer(description, content);
  }
  return answers;
}

json WithParameters(json operation, const json& parameters) {
  operation["parameters"] = parameters;
  return operation;
}

json ImagePaths() {
  const std::string error = "OpenAiError";
  json answer = Answer("The pictures, or their events if stream is true.",
                       JsonContent(Ref("Images")));
  answer["content"]["text/event-stream"] = {{"schema", json::object()}};
  const json answers = Answers(error, "200", answer);
  const auto painting = [&](const std::string& id, const std::string& summary,
                            const std::string& type, const char* schema) {
    return WithParameters(
        WithBody(Operation(id, summary, answers), type, Ref(schema)),
        {IdempotencyKey(),
         LastEventIdOf("The last id that is not wanted again, of a stream with "
                       "an idempotency-key.")});
  };
  return {
      {"/v1/images/generations",
       {{"post", painting("images_generate", "Paints pictures from a prompt.",
                          "application/json", "ImageRequest")}}},
      {"/v1/images/edits",
       {{"post", painting("images_edit", "Paints a picture anew by a prompt.",
                          "multipart/form-data", "ImageEdit")}}},
      {"/v1/images/variations",
       {{"post", painting("images_vary", "Paints kin of a picture.",
                          "multipart/form-data", "ImageVariation")}}},
      {"/v1/images/upscales",
       {{"post",
         WithBody(Operation("images_upscale", "Enlarges a picture.", answers),
                  "multipart/form-data", Ref("ImageUpscale"))}}},
      {"/v1/images/files/{name}",
       {{"get",
         WithParameters(
             Operation("images_fetch", "Sends a picture behind a link.",
                       Answers(error, "200",
                               Answer("The picture.",
                                      {{"image/*", json::object()}}))),
             {Parameter("name", "path", "As in the link.", Text()),
              Parameter("signature", "query", "As in the link.", Text()),
              Parameter("expires", "query", "As in the link.", Text())})}}},
      {"/v1/models",
       {{"get", Operation("models_list", "Lists models and their aliases.",
                          Answers(error, "200",
                                  Answer("The models.",
                                         JsonContent(Ref("Models")))))}}},
      {"/v1/models/{model}",
       {{"get", WithParameters(
                    Operation("models_get", "Tells of a model.",
                              Answers(error, "200",
                                      Answer("The model.",
                                             JsonContent(Ref("ModelEntry"))))),
                    json::array({Parameter("model", "path", "Its id or alias.",
                                           Text())}))}}}};
}

json JobPaths() {
  const std::string error = "RpcError";
  const json id =
      Parameter("id", "path", "The job's id.",
                {{"type", "string"}, {"pattern", "^[0-9a-f]{32}$"}});
  const json job = Answer("The job as it is now.", JsonContent(Ref("Job")));
  json created = Answers(error, "201", job);
  created["200"] = Answer("What the job would be, for validate_only.",
                          JsonContent(Ref("Job")));
  // Names with commas between them.
  json states = Parameter("states", "query", "Only jobs in these states.",
                          {{"type", "array"},
                           {"items", Ref("JobState")},
                           {"minItems", 1},
                           {"maxItems", 16}});
  states["style"] = "form";
  states["explode"] = false;
  const json list_parameters = {
      states,
      Parameter("page_size", "query", "Most jobs in the answer.",
                Whole(0, 1000)),
      Parameter("page_token", "query", "The next_page_token before.", Text())};
  const json events = Answer(
      "Server-Sent Events: `event` names what happened, `id` is its sequence, "
      "`data` is a JobEvent.",
      {{"text/event-stream", {{"schema", json::object()}}}});
  return {
      {"/v1/jobs",
       {{"post",
         WithParameters(
             WithBody(Operation("jobs_create", "Queues a job.", created),
                      "application/json", Ref("CreateJobRequest")),
             json::array({IdempotencyKey()}))},
        {"get",
         WithParameters(
             Operation("jobs_list", "Lists jobs, the newest first.",
                       Answers(error, "200",
                               Answer("Jobs.",
                                      JsonContent(Ref("ListJobsResponse"))))),
             list_parameters)}}},
      {"/v1/jobs/{id}",
       {{"get", WithParameters(Operation("jobs_get", "Tells of a job.",
                                         Answers(error, "200", job)),
                               json::array({id}))},
        {"delete",
         WithParameters(Operation("jobs_cancel", "Ends a job at its next step.",
                                  Answers(error, "200", job)),
                        json::array({id}))}}},
      {"/v1/jobs/{id}/events",
       {{"get",
         WithParameters(
             Operation("jobs_watch", "Streams the events of a job to its end.",
                       Answers(error, "200", events)),
             {id, LastEventIdOf(
                      "The last sequence that is not wanted again.")})}}}};
}

json ListPaths() {
  const auto list = [](const std::string& id, const std::string& summary,
                       const std::string& schema) {
    return Operation(
        id, summary,
        Answers("RpcError", "200",
                Answer("What there is.", JsonContent(Ref(schema)))));
  };
  return {
      {"/v1/loras",
       {{"get",
         WithParameters(
             list("loras_list", "Lists adapters, by name.", "Loras"),
             {Parameter("model", "query",
                        "Only those that this model takes, by its id.", Text()),
              Parameter("page_size", "query", "The most in an answer.",
                        Whole(0, 1000)),
              Parameter("page_token", "query",
                        "The next_page_token of the answer before.",
                        Text())})}}},
      {"/v1/upscalers",
       {{"get",
         list("upscalers_list", "Lists what can enlarge.", "Upscalers")}}},
      {"/v1/scorers",
       {{"get",
         list("scorers_list", "Lists who can score, the models' own not.",
              "ListScorersResponse")}}}};
}

json ScorePaths() {
  return {
      {"/v1/score",
       {{"post",
         WithBody(Operation("scores_create", "Scores pictures.",
                            Answers("RpcError", "200",
                                    Answer("Scores, in the pictures' order.",
                                           JsonContent(Ref("ScoreResponse"))))),
                  "application/json", Ref("ScoreRequest"))}}}};
}

}  // namespace

json Operation(const std::string& id, const std::string& summary,
               const json& answers) {
  return {{"operationId", id},
          {"summary", summary},
          {"description", summary},
          {"tags", {id.substr(0, id.find('_'))}},
          {"responses", answers}};
}

json WithBody(json operation, const std::string& type, const json& schema) {
  operation["requestBody"] = {{"required", true},
                              {"content", {{type, {{"schema", schema}}}}}};
  return operation;
}

json DescribedPaths() {
  json paths = ImagePaths();
  paths.update(JobPaths());
  paths.update(ScorePaths());
  paths.update(ListPaths());
  return paths;
}

}  // namespace genzo
