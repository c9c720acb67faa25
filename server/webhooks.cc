#include "server/webhooks.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/durable_file.h"
#include "base/errors.h"
#include "base/hmac_sha256.h"
#include "base/logging.h"
#include "genzo/internal/v1/kept_job.pb.h"
#include "google/protobuf/util/json_util.h"

namespace genzo {
namespace {

constexpr size_t kLeastSecretBytes = 16;
constexpr absl::Duration kPauses[] = {absl::Seconds(1), absl::Seconds(5),
                                      absl::Seconds(25), absl::Minutes(2),
                                      absl::Minutes(10)};

bool IsIn(const std::vector<std::string>& hosts, const std::string& host) {
  return std::find(hosts.begin(), hosts.end(), host) != hosts.end();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Webhooks>> Webhooks::Open(
    const WebhookConfig& config, const Clock& clock, Post post, int threads,
    const WebhookPlace& place) {
  std::ifstream file(config.secret_file, std::ios::binary);
  if (!file) {
    return absl::NotFoundError(absl::StrCat(
        "webhooks.secret_file ", config.secret_file, " cannot be read"));
  }
  std::string secret((std::istreambuf_iterator<char>(file)),
                     std::istreambuf_iterator<char>());
  absl::StripTrailingAsciiWhitespace(&secret);
  if (secret.size() < kLeastSecretBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "webhooks.secret_file ", config.secret_file, " has ", secret.size(),
        " bytes, the least is ", kLeastSecretBytes));
  }
  std::unique_ptr<Webhooks> webhooks(
      new Webhooks(config, std::move(secret), clock, std::move(post), place));
  webhooks->ReadBacklog();
  for (int i = 0; i < threads; ++i) {
    webhooks->pumps_.push_back(std::make_unique<EventPump>(
        /*tick=*/[&sender = *webhooks] { sender.RunDue(); }));
  }
  return webhooks;
}

Webhooks::~Webhooks() {
  pumps_.clear();
  WriteBacklog();
}

void Webhooks::ReadBacklog() {
  if (place_.backlog_file.empty()) return;
  std::ifstream file(place_.backlog_file, std::ios::binary);
  internal::v1::WaitingWebhooks backlog;
  if (!file) return;
  if (!backlog.ParseFromIstream(&file)) {
    spdlog::error("webhooks: {} is damaged and left out", place_.backlog_file);
  }
  for (auto& waiting : *backlog.mutable_waiting()) {
    // The configuration may be another one by now.
    auto target = ParseHttpsUrl(waiting.url());
    if (!target.ok() || !IsIn(config_.hosts, target->host)) {
      spdlog::warn("webhook of job {} is given up: its host is not allowed",
                   waiting.job_id());
      Count("given_up");
      continue;
    }
    AddAt(clock_.Now(), {.target = *std::move(target),
                         .job_id = waiting.job_id(),
                         .body = std::move(*waiting.mutable_body()),
                         .traceparent = waiting.traceparent(),
                         .attempts = static_cast<int>(waiting.attempts())});
  }
  std::error_code ignored;
  std::filesystem::remove(place_.backlog_file, ignored);
}

void Webhooks::WriteBacklog() {
  absl::MutexLock lock(&mutex_);
  if (waiting_.empty()) return;
  if (place_.backlog_file.empty()) {
    spdlog::warn("{} webhooks are lost: jobs.results_folder is not set",
                 waiting_.size());
    return;
  }
  internal::v1::WaitingWebhooks backlog;
  for (const auto& [due, delivery] : waiting_) {
    auto& waiting = *backlog.add_waiting();
    waiting.set_url(delivery.target.url);
    waiting.set_job_id(delivery.job_id);
    waiting.set_body(delivery.body);
    waiting.set_traceparent(delivery.traceparent);
    waiting.set_attempts(delivery.attempts);
  }
  const absl::Status written =
      WriteDurably(place_.backlog_file, backlog.SerializeAsString());
  if (!written.ok()) {
    spdlog::error("{} webhooks are lost: {}", waiting_.size(),
                  std::string(written.message()));
  }
}

void Webhooks::Count(const char* result) const {
  if (place_.metrics != nullptr) place_.metrics->CountWebhook(result);
}

absl::Status Webhooks::Check(const std::string& url,
                             const WebhookConfig& config) {
  const auto target = ParseHttpsUrl(url);
  std::string why;
  if (!target.ok()) {
    why = std::string(target.status().message());
  } else if (!IsIn(config.hosts, target->host)) {
    why = absl::StrCat("reaches ", target->host,
                       ", which the server's configuration does not allow");
  }
  if (why.empty()) return absl::OkStatus();
  return InvalidFieldsError(
      {{"webhook.url", absl::StrCat("webhook.url ", why)}});
}

void Webhooks::Send(const std::string& url, const v1::Job& job,
                    const std::string& traceparent) {
  auto target = ParseHttpsUrl(url);
  if (!target.ok()) return;  // was checked
  Delivery delivery = {.target = *std::move(target),
                       .job_id = job.id(),
                       .body = {},
                       .traceparent = traceparent};
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  if (!google::protobuf::util::MessageToJsonString(job, &delivery.body, options)
           .ok()) {
    return;
  }
  AddAt(clock_.Now(), std::move(delivery));
  if (pumps_.empty()) return;
  size_t pump = 0;
  {
    absl::MutexLock lock(&mutex_);
    pump = next_pump_++ % pumps_.size();
  }
  pumps_[pump]->Add([this] { RunDue(); });
}

void Webhooks::AddAt(absl::Time due, Delivery delivery) {
  absl::MutexLock lock(&mutex_);
  waiting_.emplace(due, std::move(delivery));
  if (waiting_.size() <= kMostWaiting) return;
  spdlog::warn("webhook of job {} is given up: too many wait",
               waiting_.begin()->second.job_id);
  Count("given_up");
  waiting_.erase(waiting_.begin());
}

std::optional<Webhooks::Delivery> Webhooks::TakeDue() {
  absl::MutexLock lock(&mutex_);
  if (waiting_.empty() || waiting_.begin()->first > clock_.Now()) {
    return std::nullopt;
  }
  Delivery delivery = std::move(waiting_.begin()->second);
  waiting_.erase(waiting_.begin());
  return delivery;
}

void Webhooks::RunDue() {
  while (auto delivery = TakeDue()) {
    if (Deliver(*delivery)) {
      Count("delivered");
      continue;
    }
    const size_t attempt = delivery->attempts++;
    if (attempt >= std::size(kPauses)) {
      spdlog::warn("webhook of job {} is given up", delivery->job_id);
      Count("given_up");
      continue;
    }
    Count("retried");
    AddAt(clock_.Now() + kPauses[attempt], *std::move(delivery));
  }
}

bool Webhooks::Deliver(const Delivery& delivery) const {
  const std::string timestamp =
      absl::StrCat(absl::ToUnixSeconds(clock_.Date()));
  const std::string signature =
      HmacSha256(secret_, absl::StrCat(timestamp, ".", delivery.body));
  std::vector<std::pair<std::string, std::string>> headers = {
      {"x-genzo-job", delivery.job_id},
      {"x-genzo-timestamp", timestamp},
      {"x-genzo-signature",
       absl::StrCat("v1=", absl::BytesToHexString(signature))}};
  if (!delivery.traceparent.empty()) {
    headers.emplace_back("traceparent", delivery.traceparent);
  }
  const auto code = post_(
      {.target = delivery.target,
       .headers = std::move(headers),
       .body = delivery.body,
       .may_be_private = IsIn(config_.private_hosts, delivery.target.host),
       .ca_file = config_.ca_file});
  if (code.ok() && *code >= 200 && *code < 300) return true;
  spdlog::info("webhook of job {} to {}: {}", delivery.job_id,
               delivery.target.host,
               code.ok() ? absl::StrCat("answer ", *code)
                         : std::string(code.status().message()));
  return false;
}

}  // namespace genzo
