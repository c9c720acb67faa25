#include "server/jobs/webhooks.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/hmac_sha256.h"
#include "base/logging.h"
#include "base/watched_file.h"
#include "google/protobuf/util/json_util.h"

namespace genzo {
namespace {

constexpr size_t kLeastSecretBytes = 16;
constexpr char kTooMany[] = "too many wait";
constexpr absl::Duration kPauses[] = {absl::Seconds(1), absl::Seconds(5),
                                      absl::Seconds(25), absl::Minutes(2),
                                      absl::Minutes(10)};

bool IsIn(const std::vector<std::string>& hosts, const std::string& host) {
  return std::find(hosts.begin(), hosts.end(), host) != hosts.end();
}

// What the file says, without a line's end behind it.
absl::StatusOr<std::string> SecretOf(const std::string& path) {
  auto secret = WatchedFile(path).Read();
  if (!secret.has_value()) {
    return absl::NotFoundError(
        absl::StrCat("webhooks.secret_file ", path, " cannot be read"));
  }
  if (absl::EndsWith(*secret, "\n")) secret->pop_back();
  if (absl::EndsWith(*secret, "\r")) secret->pop_back();
  if (secret->size() >= kLeastSecretBytes) return *std::move(secret);
  return absl::InvalidArgumentError(
      absl::StrCat("webhooks.secret_file ", path, " has ", secret->size(),
                   " bytes, the least is ", kLeastSecretBytes));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Webhooks>> Webhooks::Open(
    const WebhookConfig& config, const Clock& clock, Post post, int threads,
    WebhookHooks hooks) {
  auto secret = SecretOf(config.secret_file);
  if (!secret.ok()) return secret.status();
  std::unique_ptr<Webhooks> webhooks(new Webhooks(
      config, *std::move(secret), clock, std::move(post), std::move(hooks)));
  for (int i = 0; i < threads; ++i) {
    webhooks->threads_.push_back(std::make_unique<WorkThread>(
        /*tick=*/[&sender = *webhooks] { sender.RunDue(); }));
  }
  return webhooks;
}

Webhooks::~Webhooks() {
  end_.EndBy(Clock::Real().Now() + kLastPosts);
  threads_.clear();
  absl::MutexLock lock(&mutex_);
  if (waiting_.empty()) return;
  spdlog::warn("{} webhooks wait, {}", waiting_.size(),
               hooks_.settled ? "for the next server"
                              : "and are lost: jobs.results_folder is not set");
}

void Webhooks::Count(const char* result) const {
  if (hooks_.metrics != nullptr) hooks_.metrics->CountWebhook(result);
}

void Webhooks::Settle(const std::string& job_id, const char* result) const {
  Count(result);
  if (hooks_.settled) hooks_.settled(job_id);
}

void Webhooks::GiveUp(const std::string& job_id, const char* why) const {
  LogEvent(spdlog::level::warn, "webhook given up",
           {{"job", job_id}, {"reason", why}});
  Settle(job_id, "given_up");
}

WorkThread* Webhooks::NextThread() {
  if (threads_.empty()) return nullptr;
  absl::MutexLock lock(&mutex_);
  return threads_[next_thread_++ % threads_.size()].get();
}

void Webhooks::GiveUpSoon(const std::string& job_id, const char* why) {
  WorkThread* const thread = NextThread();
  if (thread == nullptr) return GiveUp(job_id, why);
  thread->Add([this, job_id, why] { GiveUp(job_id, why); });
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
  if (!target.ok() || !IsIn(config_.hosts, target->host)) {
    return GiveUpSoon(job.id(), "its host is not allowed");
  }
  Delivery delivery = {.target = *std::move(target),
                       .job_id = job.id(),
                       .body = {},
                       .traceparent = traceparent};
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  if (!google::protobuf::util::MessageToJsonString(job, &delivery.body, options)
           .ok()) {
    return GiveUpSoon(job.id(), "it has no JSON form");
  }
  const auto pushed_out = AddAt(clock_.Now(), std::move(delivery));
  if (pushed_out.has_value()) GiveUpSoon(*pushed_out, kTooMany);
  if (WorkThread* const thread = NextThread()) {
    thread->Add([this] { RunDue(); });
  }
}

std::optional<std::string> Webhooks::AddAt(absl::Time due, Delivery delivery) {
  absl::MutexLock lock(&mutex_);
  waiting_.emplace(due, std::move(delivery));
  if (waiting_.size() <= kMostWaiting) return std::nullopt;
  // The first of those, by when it is due.
  const auto most_tried = std::max_element(
      waiting_.begin(), waiting_.end(), [](const auto& a, const auto& b) {
        return a.second.attempts < b.second.attempts;
      });
  std::string pushed_out = most_tried->second.job_id;
  waiting_.erase(most_tried);
  return pushed_out;
}

std::optional<Webhooks::Delivery> Webhooks::TakeDue() {
  if (end_.is_over()) return std::nullopt;
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  for (auto it = waiting_.begin(); it != waiting_.end() && it->first <= now;
       ++it) {
    int& threads = threads_of_[it->second.target.host];
    if (threads == kMostOfAHost) continue;
    ++threads;
    Delivery delivery = std::move(it->second);
    waiting_.erase(it);
    return delivery;
  }
  return std::nullopt;
}

void Webhooks::Done(const std::string& host) {
  absl::MutexLock lock(&mutex_);
  --threads_of_[host];
}

void Webhooks::RunDue() {
  while (auto delivery = TakeDue()) {
    const bool taken = Deliver(*delivery);
    Done(delivery->target.host);
    if (taken) {
      Settle(delivery->job_id, "delivered");
      continue;
    }
    if (end_.is_over()) {  // it may have been broken off, and does not count
      const auto pushed_out = AddAt(clock_.Now(), *std::move(delivery));
      if (pushed_out.has_value()) GiveUp(*pushed_out, kTooMany);
      return;
    }
    const size_t attempt = delivery->attempts++;
    if (attempt >= std::size(kPauses)) {
      GiveUp(delivery->job_id, "nobody took it");
      continue;
    }
    Count("retried");
    const auto pushed_out =
        AddAt(clock_.Now() + kPauses[attempt], *std::move(delivery));
    if (pushed_out.has_value()) GiveUp(*pushed_out, kTooMany);
  }
}

std::string Webhooks::Secret() {
  auto now = SecretOf(config_.secret_file);
  absl::MutexLock lock(&mutex_);
  if (now.ok()) {
    secret_ = *std::move(now);
  } else {
    spdlog::error("{}: the secret from before signs",
                  std::string(now.status().message()));
  }
  return secret_;
}

bool Webhooks::Deliver(const Delivery& delivery) {
  const std::string timestamp =
      absl::StrCat(absl::ToUnixSeconds(clock_.Date()));
  const std::string signature =
      HmacSha256(Secret(), absl::StrCat(timestamp, ".", delivery.body));
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
       .ca_file = config_.ca_file,
       .end = &end_});
  if (code.ok() && *code >= 200 && *code < 300) return true;
  LogEvent(spdlog::level::info, "webhook not taken",
           {{"job", delivery.job_id},
            {"host", delivery.target.host},
            {"reason", code.ok() ? absl::StrCat("answer ", *code)
                                 : std::string(code.status().message())}});
  return false;
}

}  // namespace genzo
