#include "base/config_service.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

void ReadHosts(MapReader& map, const std::string& key,
               std::vector<std::string>& hosts) {
  for (const std::string& text : ReadTexts(map, key, " of hosts")) {
    const std::string host = absl::AsciiStrToLower(text);
    const size_t i = hosts.size();
    hosts.push_back(absl::StrContains(host, ':') ? host : host + ":443");
    if (!host.empty() && CheckAddress(hosts.back()).ok()) continue;
    map.Fail(absl::StrCat(map.Path(key), "[", i, "] \"", host,
                          "\" is neither host nor host:port"));
  }
}

void ReadOrigins(MapReader& http, std::vector<std::string>& origins) {
  origins = ReadTexts(http, "origins");
  for (size_t i = 0; i < origins.size(); ++i) {
    const std::string& origin = origins[i];
    const size_t scheme = origin.find("://");
    const bool is_sound =
        origin == "*" ||
        (scheme != std::string::npos && scheme > 0 &&
         scheme + 3 < origin.size() &&
         origin.find_first_of("/ \r\n", scheme + 3) == std::string::npos);
    if (is_sound) continue;
    http.Fail(absl::StrCat("http.origins[", i, "] \"", origin,
                           "\" is neither * nor SCHEME://HOST[:PORT]"));
  }
}

void ReadAliases(MapReader& http, std::map<std::string, std::string>& aliases) {
  const YAML::Node map = http.Child("model_aliases");
  if (!map.IsDefined() || map.IsNull()) return;
  if (!map.IsMap()) return http.Fail("http.model_aliases is not a map");
  for (const auto& entry : map) {
    const std::string name = entry.first.as<std::string>("");
    aliases[name] = entry.second.as<std::string>("");
    if (!name.empty() && IsModelId(aliases[name])) continue;
    http.Fail(absl::StrCat("http.model_aliases.", name, " \"", aliases[name],
                           "\" does not match [a-z0-9][a-z0-9._-]{0,62}"));
  }
}

}  // namespace

void ReadDelivery(MapReader& root, absl::Status& status,
                  DeliveryLimits& limits) {
  MapReader map(root.Child("delivery"), "delivery", status);
  map.Read("max_streams", 1, 1'000'000, limits.max_streams);
  ReadMegabytes(map, "job_mb", limits.job_bytes);
  ReadMegabytes(map, "tenant_mb", limits.tenant_bytes);
  ReadMegabytes(map, "total_mb", limits.process_bytes);
  ReadSeconds(map, "reader_timeout_seconds", 1, 86400, limits.reader_timeout);
  ReadSeconds(map, "results_kept_seconds", 0, 30 * 86400, limits.results_kept);
}

void ReadKeptLatents(MapReader& root, absl::Status& status,
                     KeptLatents& latents) {
  MapReader reader(root.Child("kept_latents"), "kept_latents", status);
  ReadMegabytes(reader, "total_mb", latents.bytes);
  ReadMegabytes(reader, "tenant_mb", latents.tenant_bytes);
  if (latents.tenant_bytes <= latents.bytes) return;
  reader.Fail(
      absl::StrCat("kept_latents.tenant_mb ", latents.tenant_bytes >> 20,
                   " is over kept_latents.total_mb ", latents.bytes >> 20));
}

void ReadJobs(MapReader& root, const std::string& base_folder,
              absl::Status& status, JobsConfig& jobs) {
  MapReader map(root.Child("jobs"), "jobs", status);
  ReadPath(map, "results_folder", base_folder, jobs.results_folder);
  ReadMegabytes(map, "results_mb", jobs.results_bytes);
  int most_jobs = static_cast<int>(jobs.most_jobs);
  map.Read("max_jobs", 1, 1'000'000, most_jobs);
  jobs.most_jobs = most_jobs;
}

// What a token may, as a key's file says it of a key.
void ReadTokenLimits(MapReader& auth, absl::Status& status, Grant& limits) {
  MapReader map(auth.Child("token_limits"), "auth.token_limits", status);
  for (std::string& model : ReadTexts(map, "models")) {
    limits.models.insert(std::move(model));
  }
  ForEachLimit(limits, [&](const char* name, auto& value, auto least,
                           auto most) { map.Read(name, least, most, value); });
}

void ReadAuth(MapReader& root, const std::string& base_folder,
              absl::Status& status, AuthConfig& auth) {
  MapReader map(root.Child("auth"), "auth", status);
  ReadPath(map, "keys_file", base_folder, auth.keys_file);
  ReadPath(map, "jwks_file", base_folder, auth.jwks_file);
  map.Read("jwt_issuer", auth.jwt_issuer);
  map.Read("jwt_audience", auth.jwt_audience);
  map.Read("tenant_claim", auth.tenant_claim);
  map.Read("scopes_claim", auth.scopes_claim);
  map.Read("limits_claim", auth.limits_claim);
  ReadTokenLimits(map, status, auth.token_limits);
  if (!auth.jwks_file.empty() &&
      (auth.jwt_issuer.empty() || auth.jwt_audience.empty())) {
    map.Fail("auth.jwks_file needs auth.jwt_issuer and auth.jwt_audience");
  }
}

void ReadWebhooks(MapReader& root, const std::string& base_folder,
                  absl::Status& status, WebhookConfig& webhooks) {
  MapReader map(root.Child("webhooks"), "webhooks", status);
  ReadHosts(map, "hosts", webhooks.hosts);
  ReadHosts(map, "private_hosts", webhooks.private_hosts);
  ReadPath(map, "secret_file", base_folder, webhooks.secret_file);
  ReadPath(map, "ca_file", base_folder, webhooks.ca_file);
  if (!webhooks.hosts.empty() && webhooks.secret_file.empty()) {
    map.Fail("webhooks.hosts needs webhooks.secret_file");
  }
  for (const std::string& host : webhooks.private_hosts) {
    const auto& all = webhooks.hosts;
    if (std::find(all.begin(), all.end(), host) != all.end()) continue;
    map.Fail(absl::StrCat("webhooks.private_hosts: ", host,
                          " is not one of webhooks.hosts"));
  }
}

void ReadTls(MapReader& root, const std::string& base_folder,
             absl::Status& status, TlsConfig& tls) {
  MapReader map(root.Child("tls"), "tls", status);
  ReadPath(map, "cert_file", base_folder, tls.cert_file);
  ReadPath(map, "key_file", base_folder, tls.key_file);
  ReadPath(map, "client_ca_file", base_folder, tls.client_ca_file);
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    map.Fail("tls.cert_file and tls.key_file need each other");
  }
  if (tls.cert_file.empty() && !tls.client_ca_file.empty()) {
    map.Fail("tls.client_ca_file needs tls.cert_file");
  }
}

void ReadTracing(MapReader& root, const std::string& base_folder,
                 absl::Status& status, TracingConfig& tracing) {
  MapReader map(root.Child("tracing"), "tracing", status);
  map.Read("endpoint", tracing.endpoint);
  const std::string& url = tracing.endpoint;
  const bool is_sound =
      url.empty() || (url.find_first_of(" \r\n\t?#") == std::string::npos &&
                      ((absl::StartsWith(url, "http://") && url.size() > 7) ||
                       (absl::StartsWith(url, "https://") && url.size() > 8)));
  if (!is_sound) {
    map.Fail(absl::StrCat("tracing.endpoint \"", url,
                          "\" is neither http://HOST[:PORT] nor "
                          "https://HOST[:PORT]"));
  }
  map.Read("sample_ratio", 0.0, 1.0, tracing.sample_ratio);
  ReadPath(map, "ca_file", base_folder, tracing.ca_file);
  ReadPath(map, "headers_file", base_folder, tracing.headers_file);
}

void ReadLogging(MapReader& root, std::string& level, std::string& format) {
  root.ReadChoice("log_level", {"debug", "info", "warning", "error", "off"},
                  level);
  root.ReadChoice("log_format", {"text", "json"}, format);
}

void ReadHttp(MapReader& root, const std::string& base_folder,
              absl::Status& status, HttpConfig& config) {
  MapReader http(root.Child("http"), "http", status);
  http.Read("listen", config.listen);
  const absl::Status address = CheckAddress(config.listen);
  if (!config.listen.empty() && !address.ok()) {
    http.Fail(absl::StrCat("http.listen ", address.message()));
  }
  ReadPath(http, "certificate", base_folder, config.certificate);
  ReadPath(http, "key", base_folder, config.key);
  if (config.certificate.empty() != config.key.empty()) {
    http.Fail("http.certificate and http.key are not given together");
  }
  ReadPath(http, "client_ca_file", base_folder, config.client_ca_file);
  if (config.certificate.empty() && !config.client_ca_file.empty()) {
    http.Fail("http.client_ca_file needs http.certificate");
  }
  ReadPath(http, "page", base_folder, config.page);
  ReadPath(http, "link_key_file", base_folder, config.link_key_file);
  http.Read("public_url", config.public_url);
  ReadOrigins(http, config.origins);
  ReadAliases(http, config.model_aliases);
  http.Read("max_connections", 1, 100'000, config.max_connections);
  http.Read("max_connections_per_address", 0, 100'000,
            config.max_connections_per_address);
  ReadMegabytes(http, "max_body_mb", config.max_body_bytes);
  ReadMegabytes(http, "picture_mb", config.picture_bytes);
  ReadSeconds(http, "link_seconds", 1, 86400 * 7, config.links_kept);
}

}  // namespace genzo
