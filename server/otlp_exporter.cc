#include "server/otlp_exporter.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/logging.h"
#include "curl/curl.h"
#include "nlohmann/json.hpp"
#include "server/otlp_headers.h"

namespace genzo {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kTracesPath[] = "/v1/traces";
constexpr long kTotalSeconds = 5;
// Numbers of opentelemetry.proto.trace.v1.
constexpr int kSpanKindInternal = 1;
constexpr int kSpanKindServer = 2;
constexpr int kStatusError = 2;

Json Attribute(const std::string& name, const Span::Value& value) {
  Json json;
  if (const auto* text = absl::get_if<std::string>(&value)) {
    json["stringValue"] = *text;
  } else if (const auto* number = absl::get_if<int64_t>(&value)) {
    json["intValue"] = absl::StrCat(*number);
  } else {
    json["doubleValue"] = absl::get<double>(value);
  }
  return {{"key", name}, {"value", json}};
}

std::string Nanoseconds(absl::Time time) {
  return absl::StrCat(absl::ToUnixNanos(time));
}

Json SpanJson(const Span& span) {
  const bool is_whole = span.name == kJobSpan || span.name == kHttpSpan;
  Json json = {{"traceId", span.context.trace_id},
               {"spanId", span.context.span_id},
               {"name", span.name},
               {"kind", is_whole ? kSpanKindServer : kSpanKindInternal},
               {"startTimeUnixNano", Nanoseconds(span.begin)},
               {"endTimeUnixNano", Nanoseconds(span.end)}};
  if (!span.parent.empty()) json["parentSpanId"] = span.parent;
  for (const auto& [name, value] : span.attributes) {
    json["attributes"].push_back(Attribute(name, value));
  }
  for (const TraceContext& link : span.links) {
    json["links"].push_back(
        {{"traceId", link.trace_id}, {"spanId", link.span_id}});
  }
  if (!span.error.empty()) {
    json["status"] = {{"code", kStatusError}, {"message", span.error}};
  }
  return json;
}

size_t Discard(char*, size_t size, size_t count, void*) { return size * count; }

using Headers = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;

absl::StatusOr<int> PostJson(const std::string& url, const std::string& ca_file,
                             const Headers& headers, const std::string& body,
                             const TransferEnd& end) {
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(),
                                                      curl_easy_cleanup);
  CURL* const curl = handle.get();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, kTotalSeconds);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Discard);
  if (!ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file.c_str());
  }
  const absl::Status done = end.Perform(curl);
  if (!done.ok()) return done;
  long code = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
  return static_cast<int>(code);
}

}  // namespace

std::string OtlpJson(absl::Span<const Span> spans,
                     const std::string& service_version) {
  Json list = Json::array();
  for (const Span& span : spans) list.push_back(SpanJson(span));
  const Json resource = {
      {"attributes",
       {Attribute("service.name", std::string("genzo")),
        Attribute("service.version", std::string(service_version))}}};
  const Json scope = {{"scope", {{"name", "genzo"}}}, {"spans", list}};
  const Json request = {
      {"resourceSpans", Json::array({{{"resource", resource},
                                      {"scopeSpans", Json::array({scope})}}})}};
  // A status may quote a client's bytes.
  return request.dump(-1, ' ', false, Json::error_handler_t::replace);
}

OtlpExporter::OtlpExporter(const TracingConfig& config,
                           const std::string& service_version, Metrics& metrics,
                           Post post)
    : Tracer(config.sample_ratio),
      service_version_(service_version),
      metrics_(metrics),
      post_(std::move(post)),
      sender_(std::make_unique<WorkThread>(/*tick=*/[this] { Flush(); })) {}

OtlpExporter::~OtlpExporter() {
  end_.EndBy(Clock::Real().Now() + kLastPosts);
  sender_.reset();
  Flush();
}

void OtlpExporter::Record(Span span) {
  if (!span.context.sampled) return;
  {
    absl::MutexLock lock(&mutex_);
    if (waiting_.size() < kMostWaiting) {
      return waiting_.push_back(std::move(span));
    }
  }
  metrics_.CountSpans("dropped", 1);
}

void OtlpExporter::Flush() {
  std::vector<Span> spans;
  {
    absl::MutexLock lock(&mutex_);
    spans = std::exchange(waiting_, {});
  }
  for (size_t i = 0; i < spans.size(); i += kMostTogether) {
    Send(absl::MakeSpan(spans).subspan(i, kMostTogether));
  }
}

void OtlpExporter::Send(absl::Span<const Span> spans) {
  const std::string body = OtlpJson(spans, service_version_);
  absl::StatusOr<int> code;
  for (int attempt = 0; attempt < 2; ++attempt) {
    code = post_(body, end_);
    if (code.ok() && *code >= 200 && *code < 300) {
      failing_ = false;
      return metrics_.CountSpans("sent", spans.size());
    }
  }
  metrics_.CountSpans("failed", spans.size());
  if (std::exchange(failing_, true)) return;
  LogEvent(spdlog::level::warn, "spans are lost",
           {{"reason", code.ok() ? absl::StrCat("answer ", *code)
                                 : std::string(code.status().message())}});
}

OtlpExporter::Post OtlpExporter::PostTo(const TracingConfig& config) {
  std::string base = config.endpoint;
  while (!base.empty() && base.back() == '/') base.pop_back();
  return [url = absl::StrCat(absl::StripSuffix(base, kTracesPath), kTracesPath),
          ca_file = config.ca_file,
          own = std::make_shared<OtlpHeaders>(config.headers_file)](
             const std::string& body, const TransferEnd& end) {
    const Headers headers(
        curl_slist_append(nullptr, "content-type: application/json"),
        curl_slist_free_all);
    for (const std::string& line : own->Lines()) {
      curl_slist_append(headers.get(), line.c_str());
    }
    return PostJson(url, ca_file, headers, body, end);
  };
}

}  // namespace genzo
