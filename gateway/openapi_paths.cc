#include "gateway/openapi_paths.h"

#include <initializer_list>
#include <utility>

#include "base/upscale_plan.h"
#include "gateway/model_fields.h"
#include "gateway/picture_fields.h"
#include "gateway/start_fields.h"
#include "gateway/steering_fields.h"

namespace genzo {

using nlohmann::json;

namespace {

json Ref(const std::string& name) {
  return {{"$ref", "#/components/schemas/" + name}};
}

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

json Text() { return {{"type", "string"}}; }
json Whole(int64_t min, int64_t max) {
  return {{"type", "integer"}, {"minimum", min}, {"maximum", max}};
}
json Seed() {
  return {{"type", "integer"}, {"minimum", -1}, {"maximum", UINT64_MAX}};
}
json Number(double min, double max) {
  return {{"type", "number"}, {"minimum", min}, {"maximum", max}};
}
json OneOf(const json& names) { return {{"type", "string"}, {"enum", names}}; }

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

// The fields of pictures that every OpenAI path takes.
json ImageFields() {
  json fields = {{"prompt", Text()},
                 {"negative_prompt", Text()},
                 {"model", Text()},
                 {"n", Whole(1, 10)},
                 {"size",
                  {{"type", "string"},
                   {"pattern", "^(auto|[1-9][0-9]{1,3}x[1-9][0-9]{1,3})$"}}},
                 {"seed", Seed()},
                 {"num_inference_steps", Whole(1, 1000)},
                 {"guidance_scale", Number(0, 100)},
                 {"guidance_rescale", Number(0, 1)},
                 {"eta", Number(0, 1)},
                 {"clip_skip", Whole(0, 32)},
                 {"sampler", Text()},
                 {"scheduler", Text()},
                 {"loras", json::object()},
                 {"response_format", OneOf({"b64_json", "url"})},
                 {"output_format", OneOf({"png", "jpeg", "webp"})},
                 {"output_compression", Whole(0, 100)},
                 {"quality", OneOf({"auto", "standard", "hd", "low", "medium",
                                    "high", "xhigh", "max"})},
                 {"style", OneOf({"vivid", "natural"})},
                 {"background", OneOf({"auto", "opaque", "transparent"})},
                 {"moderation", OneOf({"auto", "low"})},
                 {"input_fidelity", OneOf({"low", "high"})},
                 {"stream", {{"type", "boolean"}}},
                 {"partial_images", Whole(0, 3)},
                 {"user", Text()}};
  fields.update(PictureFieldSchemas());
  fields.update(SteeringSchemas());
  fields.update(ModelFieldSchemas());
  return fields;
}

json UpscaleFields() {
  json fields = {{"image", {{"type", "string"}, {"format", "binary"}}},
                 {"upscaler", Text()},
                 {"factor", Number(0, kMaxUpscaleFactor)}};
  const json painted = ImageFields();
  for (const char* same : {"size", "output_format", "output_compression",
                           "response_format", "user"}) {
    fields[same] = painted[same];
  }
  return fields;
}

json Object(const json& properties, const json& required) {
  return {{"type", "object"},
          {"properties", properties},
          {"required", required},
          {"additionalProperties", false}};
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
         WithBody(Operation("images_upscale", "Enlarges a picture.",
                            Answers(error, "200",
                                    Answer("The picture.",
                                           JsonContent(Ref("Images"))))),
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

json ScorePaths() {
  return {
      {"/v1/score",
       {{"post",
         WithBody(Operation("scores_create", "Scores pictures.",
                            Answers("RpcError", "200",
                                    Answer("Scores, in the pictures' order.",
                                           JsonContent(Ref("ScoreResponse"))))),
                  "application/json", Ref("ScoreRequest"))}}},
      {"/v1/scorers",
       {{"get", Operation("scorers_list", "Lists who can score.",
                          Answers("RpcError", "200",
                                  Answer("The scorers besides the models' own.",
                                         JsonContent(
                                             Ref("ListScorersResponse")))))}}}};
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

json OpenAiSchemas() {
  json nullable = {{"type", {"string", "null"}}};
  json form = ImageFields();
  form["image"] = {{"type", "string"}, {"format", "binary"}};
  form.update(StartSchemas());
  json variation = form;
  form["mask"] = {{"type", "string"}, {"format", "binary"}};
  form.update(MaskSchemas());
  return {{"ImageRequest", Object(ImageFields(), {"prompt"})},
          {"ImageEdit", Object(form, {"prompt", "image"})},
          {"ImageVariation", Object(variation, {"image"})},
          {"ImageUpscale", Object(UpscaleFields(), {"image"})},
          {"Images",
           {{"type", "object"},
            {"properties",
             {{"created", {{"type", "integer"}}},
              {"data", {{"type", "array"}, {"items", {{"type", "object"}}}}},
              {"usage", {{"type", "object"}}}}},
            {"required", {"created", "data", "usage"}}}},
          {"Models",
           {{"type", "object"},
            {"properties",
             {{"data", {{"type", "array"}, {"items", Ref("ModelEntry")}}}}},
            {"required", {"data"}}}},
          {"ModelEntry",
           {{"type", "object"},
            {"properties", {{"id", Text()}}},
            {"required", {"id"}}}},
          {"OpenAiError", Object({{"error", Object({{"message", Text()},
                                                    {"type", Text()},
                                                    {"param", nullable},
                                                    {"code", nullable}},
                                                   {"message", "type"})}},
                                 {"error"})},
          {"RpcError",
           {{"type", "object"},
            {"properties",
             {{"error",
               {{"type", "object"},
                {"properties",
                 {{"code", {{"type", "integer"}}},
                  {"status", Text()},
                  {"reason", Text()},
                  {"message", Text()}}}}}}},
            {"required", {"error"}}}}};
}

json WebUiSchema(const std::string& path) {
  const bool has_start = path == "/sdapi/v1/img2img";
  if (!has_start && path != "/sdapi/v1/txt2img") return {{"type", "object"}};
  const json truth = {{"type", "boolean"}};
  const json object = {{"type", "object"}};
  json fields = {{"prompt", Text()},
                 {"negative_prompt", Text()},
                 {"seed", Seed()},
                 {"subseed", Seed()},
                 {"subseed_strength", Number(0, 1)},
                 {"steps", Whole(1, 1000)},
                 {"cfg_scale", Number(0, 100)},
                 {"width", Whole(1, UINT32_MAX)},
                 {"height", Whole(1, UINT32_MAX)},
                 {"batch_size", Whole(1, 64)},
                 {"n_iter", Whole(1, 64)},
                 {"sampler_name", Text()},
                 {"scheduler", Text()},
                 {"denoising_strength", Number(0, 1)},
                 {"override_settings", object},
                 {"alwayson_scripts", object},
                 {"send_images", truth}};
  if (!has_start) {
    fields.update({{"enable_hr", truth},
                   {"hr_scale", Number(0, 100)},
                   {"hr_upscaler", Text()},
                   {"hr_second_pass_steps", Whole(0, 1000)}});
    return {{"type", "object"}, {"properties", fields}};
  }
  const json picture = {{"type", "string"}, {"contentEncoding", "base64"}};
  fields.update({{"init_images",
                  {{"type", "array"},
                   {"items", picture},
                   {"minItems", 1},
                   {"maxItems", 1}}},
                 {"mask", picture},
                 {"mask_blur", Whole(0, 1000)},
                 {"resize_mode", Whole(0, 2)}});
  return {{"type", "object"},
          {"properties", fields},
          {"required", {"init_images"}}};
}

json DescribedPaths() {
  json paths = ImagePaths();
  paths.update(JobPaths());
  paths.update(ScorePaths());
  return paths;
}

}  // namespace genzo
