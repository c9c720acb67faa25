#include "base/config.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "yaml-cpp/yaml.h"

namespace genzo {
namespace {

// Reads the keys of one YAML map, remembers the first fault and which keys were
// asked for, so that left-over keys can be called unknown.
class MapReader {
 public:
  MapReader(const YAML::Node& node, std::string path, absl::Status& status)
      : node_(node), path_(std::move(path)), status_(status) {
    if (node_.IsDefined() && !node_.IsNull() && !node_.IsMap()) {
      Fail(absl::StrCat(path_.empty() ? "the configuration" : path_,
                        " is not a map of keys"));
      node_ = YAML::Node();
    }
  }

  ~MapReader() {
    if (!node_.IsMap()) return;
    std::set<std::string> seen;
    for (const auto& entry : node_) {
      const std::string key = entry.first.as<std::string>("?");
      if (!seen.insert(key).second) {
        Fail(absl::StrCat("key ", Path(key), " occurs twice"));
      }
      if (known_.count(key) > 0) continue;
      Fail(absl::StrCat("unknown key ", Path(key),
                        "; known here: ", absl::StrJoin(known_, ", ")));
    }
  }

  YAML::Node Child(const std::string& key) {
    known_.insert(key);
    return node_.IsMap() ? node_[key] : YAML::Node(YAML::NodeType::Undefined);
  }

  void Read(const std::string& key, std::string& value) {
    const YAML::Node child = Child(key);
    if (!child.IsDefined()) return;
    if (!child.IsScalar() && !child.IsNull()) {
      return Fail(absl::StrCat(Path(key), " is not a string"));
    }
    value = child.IsNull() ? "" : child.as<std::string>();
  }

  void Read(const std::string& key, int min, int max, int& value) {
    const YAML::Node child = Child(key);
    if (!child.IsDefined()) return;
    int64_t read = 0;
    try {
      read = child.as<int64_t>();
    } catch (const YAML::Exception&) {
      return Fail(absl::StrCat(Path(key), " is not a whole number"));
    }
    if (read < min || read > max) {
      return Fail(absl::StrCat(Path(key), " ", read, " is not between ", min,
                               " and ", max));
    }
    value = static_cast<int>(read);
  }

  void Read(const std::string& key, bool& value) {
    const YAML::Node child = Child(key);
    if (!child.IsDefined()) return;
    try {
      value = child.as<bool>();
    } catch (const YAML::Exception&) {
      Fail(absl::StrCat(Path(key), " is neither true nor false"));
    }
  }

  void Read(const std::string& key, double min, double max, double& value) {
    const YAML::Node child = Child(key);
    if (!child.IsDefined()) return;
    double read = 0;
    try {
      read = child.as<double>();
    } catch (const YAML::Exception&) {
      return Fail(absl::StrCat(Path(key), " is not a number"));
    }
    if (!(read >= min && read <= max)) {
      return Fail(absl::StrCat(Path(key), " ", read, " is not between ", min,
                               " and ", max));
    }
    value = read;
  }

  void ReadChoice(const std::string& key, const std::set<std::string>& choices,
                  std::string& value) {
    Read(key, value);
    if (choices.count(value) > 0) return;
    Fail(absl::StrCat(Path(key), " \"", value, "\" is not one of ",
                      absl::StrJoin(choices, ", ")));
  }

  void Fail(const std::string& message) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(message);
  }

  std::string Path(const std::string& key) const {
    return path_.empty() ? key : absl::StrCat(path_, ".", key);
  }

 private:
  YAML::Node node_;
  const std::string path_;
  absl::Status& status_;
  std::set<std::string> known_;
};

// `path`, from `folder` on if it is relative.
std::string InFolder(const std::string& folder, const std::string& path) {
  return (std::filesystem::path(folder) / path).lexically_normal().string();
}

void ReadParts(const YAML::Node& node, const std::string& path,
               const std::string& base_folder, absl::Status& status,
               ModelConfig& model) {
  if (!node.IsDefined() || node.IsNull()) return;
  if (!node.IsMap()) {
    status.Update(absl::InvalidArgumentError(
        absl::StrCat(path, " is not a map of components and files")));
    return;
  }
  for (const auto& part : node) {
    const auto component = part.first.as<std::string>("");
    const auto file = part.second.as<std::string>("");
    if (component.empty() || file.empty()) {
      status.Update(absl::InvalidArgumentError(
          absl::StrCat(path, ".", component,
                       " is not the path of a file or "
                       "folder")));
    }
    model.parts[component] = InFolder(base_folder, file);
  }
}

ModelConfig ReadModel(const YAML::Node& node, const std::string& path,
                      const std::string& base_folder, absl::Status& status) {
  ModelConfig model;
  MapReader reader(node, path, status);
  reader.Read("id", model.id);
  reader.Read("path", model.path);
  reader.Read("config", model.config);
  reader.Read("pinned", model.pinned);
  ReadParts(reader.Child("parts"), reader.Path("parts"), base_folder, status,
            model);
  if (!IsModelId(model.id)) {
    reader.Fail(absl::StrCat(reader.Path("id"), " \"", model.id,
                             "\" does not match [a-z0-9][a-z0-9._-]{0,62}"));
  }
  if (model.path.empty()) {
    reader.Fail(absl::StrCat(reader.Path("path"), " is missing"));
  }
  model.path = InFolder(base_folder, model.path);
  if (!model.config.empty()) {
    model.config = InFolder(base_folder, model.config);
  }
  return model;
}

void ReadModels(MapReader& root, const std::string& base_folder,
                absl::Status& status, Config& config) {
  root.Read("models_folder", config.models_folder);
  if (!config.models_folder.empty()) {
    config.models_folder = InFolder(base_folder, config.models_folder);
  }
  const YAML::Node models = root.Child("models");
  const bool any = models.IsDefined() && !models.IsNull();
  if ((any && (!models.IsSequence() || models.size() == 0)) ||
      (!any && config.models_folder.empty())) {
    return root.Fail("models is not a list of at least one model");
  }
  std::set<std::string> ids;
  for (size_t i = 0; any && i < models.size(); ++i) {
    const std::string path = absl::StrCat("models[", i, "]");
    config.models.push_back(ReadModel(models[i], path, base_folder, status));
    const std::string& id = config.models.back().id;
    if (!ids.insert(id).second) {
      root.Fail(absl::StrCat(path, ".id \"", id, "\" occurs twice"));
    }
  }
  root.Read("default_model", config.default_model);
  if (config.models.empty()) return;  // whatever the folder has first
  if (config.default_model.empty()) config.default_model = config.models[0].id;
  if (ids.count(config.default_model) == 0 && config.models_folder.empty()) {
    root.Fail(absl::StrCat("default_model \"", config.default_model,
                           "\" is not the id of any of models"));
  }
}

void ReadFolders(MapReader& root, const std::string& key,
                 const std::string& base_folder,
                 std::vector<std::string>& folders) {
  const YAML::Node node = root.Child(key);
  if (!node.IsDefined() || node.IsNull()) return;
  if (!node.IsSequence()) {
    return root.Fail(absl::StrCat(key, " is not a list of folders"));
  }
  for (size_t i = 0; i < node.size(); ++i) {
    const auto folder = node[i].as<std::string>("");
    if (folder.empty()) {
      return root.Fail(absl::StrCat(key, "[", i, "] is not a folder's path"));
    }
    folders.push_back(InFolder(base_folder, folder));
  }
}

bool IsDevice(const std::string& device) {
  if (device == "auto" || device == "cpu" || device == "cuda") return true;
  const size_t colon = device.find(':');
  if (colon == std::string::npos) return false;
  const std::string kind = device.substr(0, colon);
  int number = -1;
  if (!absl::SimpleAtoi(device.substr(colon + 1), &number)) return false;
  return (kind == "cuda" && number >= 0 && number < 100) ||
         (kind == "cpu" && number >= 1 && number <= 64);
}

void ReadDevices(MapReader& root, Config& config) {
  const YAML::Node devices = root.Child("devices");
  if (!devices.IsDefined()) return;
  if (!devices.IsSequence() || devices.size() == 0) {
    return root.Fail("devices is not a list of at least one device");
  }
  config.devices.clear();
  for (size_t i = 0; i < devices.size(); ++i) {
    config.devices.push_back(devices[i].as<std::string>(""));
    if (IsDevice(config.devices.back())) continue;
    root.Fail(absl::StrCat("devices[", i, "] \"", config.devices.back(),
                           "\" is not one of auto, cpu, cpu:N, cuda, cuda:N"));
  }
}

// "host:port"; empty stays what it is.
void ReadAddress(MapReader& root, const std::string& key, std::string& value) {
  root.Read(key, value);
  const absl::Status status = CheckAddress(value);
  if (!value.empty() && !status.ok()) {
    root.Fail(absl::StrCat(key, " ", status.message()));
  }
}

void ReadSeconds(MapReader& map, const std::string& key, int min, int max,
                 absl::Duration& value) {
  int seconds = static_cast<int>(absl::ToInt64Seconds(value));
  map.Read(key, min, max, seconds);
  value = absl::Seconds(seconds);
}

void ReadMegabytes(MapReader& map, const std::string& key, int64_t& bytes) {
  int megabytes = static_cast<int>(bytes >> 20);
  map.Read(key, 1, 1 << 20, megabytes);
  bytes = int64_t{megabytes} << 20;
}

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

void ReadPath(MapReader& map, const std::string& key,
              const std::string& base_folder, std::string& path) {
  map.Read(key, path);
  if (!path.empty()) path = InFolder(base_folder, path);
}

void ReadEmbeddings(MapReader& root, const std::string& base_folder,
                    std::vector<std::string>& folders) {
  const YAML::Node list = root.Child("embeddings");
  if (!list.IsDefined() || list.IsNull()) return;
  if (!list.IsSequence()) return root.Fail("embeddings is not a list");
  for (size_t i = 0; i < list.size(); ++i) {
    const auto folder = list[i].as<std::string>("");
    if (folder.empty()) {
      root.Fail(absl::StrCat("embeddings[", i, "] is not a folder"));
    }
    folders.push_back(InFolder(base_folder, folder));
  }
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

void ReadAuth(MapReader& root, const std::string& base_folder,
              absl::Status& status, AuthConfig& auth) {
  MapReader map(root.Child("auth"), "auth", status);
  ReadPath(map, "keys_file", base_folder, auth.keys_file);
  ReadPath(map, "jwks_file", base_folder, auth.jwks_file);
  map.Read("jwt_issuer", auth.jwt_issuer);
  map.Read("jwt_audience", auth.jwt_audience);
  map.Read("tenant_claim", auth.tenant_claim);
  map.Read("scopes_claim", auth.scopes_claim);
  if (!auth.jwks_file.empty() &&
      (auth.jwt_issuer.empty() || auth.jwt_audience.empty())) {
    map.Fail("auth.jwks_file needs auth.jwt_issuer and auth.jwt_audience");
  }
}

void ReadHosts(MapReader& map, const std::string& key,
               std::vector<std::string>& hosts) {
  const YAML::Node list = map.Child(key);
  if (!list.IsDefined()) return;
  if (!list.IsSequence()) {
    return map.Fail(absl::StrCat(map.Path(key), " is not a list of hosts"));
  }
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string host = absl::AsciiStrToLower(list[i].as<std::string>(""));
    hosts.push_back(absl::StrContains(host, ':') ? host : host + ":443");
    if (!host.empty() && CheckAddress(hosts.back()).ok()) continue;
    map.Fail(absl::StrCat(map.Path(key), "[", i, "] \"", host,
                          "\" is neither host nor host:port"));
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
}

void ReadLogging(MapReader& root, std::string& level, std::string& format) {
  root.ReadChoice("log_level", {"debug", "info", "warning", "error", "off"},
                  level);
  root.ReadChoice("log_format", {"text", "json"}, format);
}

void ReadOrigins(MapReader& http, std::vector<std::string>& origins) {
  const YAML::Node list = http.Child("origins");
  if (!list.IsDefined()) return;
  if (!list.IsSequence()) return http.Fail("http.origins is not a list");
  for (size_t i = 0; i < list.size(); ++i) {
    origins.push_back(list[i].as<std::string>(""));
    const std::string& origin = origins.back();
    const size_t scheme = origin.find("://");
    const bool is_sound =
        origin == "*" ||
        (scheme != std::string::npos && scheme + 3 < origin.size() &&
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
  ReadPath(http, "page", base_folder, config.page);
  ReadPath(http, "link_key_file", base_folder, config.link_key_file);
  http.Read("public_url", config.public_url);
  ReadOrigins(http, config.origins);
  ReadAliases(http, config.model_aliases);
  http.Read("max_connections", 1, 100'000, config.max_connections);
  ReadMegabytes(http, "max_body_mb", config.max_body_bytes);
  ReadMegabytes(http, "picture_mb", config.picture_bytes);
  ReadSeconds(http, "link_seconds", 1, 86400 * 7, config.links_kept);
}

// Parses one document and hands it to `read`, which remembers the first fault.
void ReadScorers(MapReader& root, const std::string& base_folder,
                 absl::Status& status, std::vector<ScorerConfig>& scorers) {
  const YAML::Node list = root.Child("scorers");
  if (!list) return;
  if (!list.IsSequence()) return root.Fail("scorers is not a list");
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string path = absl::StrCat("scorers[", i, "]");
    ScorerConfig scorer;
    MapReader map(list[i], path, status);
    map.Read("id", scorer.id);
    ReadPath(map, "path", base_folder, scorer.path);
    ReadPath(map, "aesthetic_head", base_folder, scorer.aesthetic_head);
    if (!IsModelId(scorer.id)) {
      map.Fail(absl::StrCat(path, ".id \"", scorer.id,
                            "\" does not match [a-z0-9][a-z0-9._-]{0,62}"));
    }
    if (scorer.path.empty()) map.Fail(absl::StrCat(path, ".path is missing"));
    for (const ScorerConfig& other : scorers) {
      if (other.id != scorer.id) continue;
      map.Fail(absl::StrCat(path, ".id \"", scorer.id, "\" occurs twice"));
    }
    scorers.push_back(std::move(scorer));
  }
}

// What pictures are checked for and marked with, and what is kept of them.
void ReadPictures(MapReader& root, const std::string& base_folder,
                  absl::Status& status, Config& config) {
  ReadScorers(root, base_folder, status, config.scorers);
  {
    MapReader map(root.Child("safety"), "safety", status);
    const std::map<std::string, v1::SafetyPolicy> policies = {
        {"off", v1::SAFETY_POLICY_OFF},
        {"mark", v1::SAFETY_POLICY_MARK},
        {"blur", v1::SAFETY_POLICY_BLUR},
        {"refuse", v1::SAFETY_POLICY_REFUSE}};
    std::string policy = "off";
    map.ReadChoice("policy", {"off", "mark", "blur", "refuse"}, policy);
    const auto chosen = policies.find(policy);
    if (chosen != policies.end()) config.safety.policy = chosen->second;
    ReadPath(map, "checker", base_folder, config.safety.checker);
  }
  {
    MapReader map(root.Child("provenance"), "provenance", status);
    map.Read("watermark", config.provenance.watermark);
    map.Read("may_be_left_out", config.provenance.may_be_left_out);
  }
  PictureRules& rules = config.limits.pictures;
  rules.safety = config.safety;
  rules.provenance = config.provenance;
  for (const ScorerConfig& scorer : config.scorers) {
    rules.scorers.push_back(scorer.id);
  }
  MapReader map(root.Child("result_cache"), "result_cache", status);
  int megabytes = 0;
  int tenant_megabytes = 0;
  map.Read("mb", 0, 1 << 20, megabytes);
  map.Read("tenant_mb", 0, 1 << 20, tenant_megabytes);
  config.result_cache.bytes = int64_t{megabytes} << 20;
  config.result_cache.tenant_bytes = int64_t{tenant_megabytes} << 20;
  ReadPath(map, "folder", base_folder, config.result_cache.folder);
}

template <typename Read>
absl::Status ParseYaml(const std::string& yaml, Read read) {
  absl::Status status;
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(yaml);
    if (documents.size() > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("has ", documents.size(),
                       " YAML documents (a line \"---\" begins "
                       "another), the limit is 1"));
    }
    read(documents.empty() ? YAML::Node() : documents[0], status);
  } catch (const YAML::Exception& e) {
    return absl::InvalidArgumentError(
        absl::StrCat("not valid YAML: ", e.what()));
  }
  return status;
}

// Parses the file by `parse`, with relative paths from its folder.
template <typename Parse>
auto ReadFile(const std::string& path, Parse parse)
    -> decltype(parse(path, path)) {
  std::ifstream file(path);
  if (!file || std::filesystem::is_directory(path)) {
    return absl::NotFoundError(
        absl::StrCat("configuration file ", path, " cannot be read"));
  }
  const std::string text((std::istreambuf_iterator<char>(file)),
                         std::istreambuf_iterator<char>());
  auto config = parse(text, std::filesystem::path(path).parent_path().string());
  if (config.ok()) return config;
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": ", config.status().message()));
}

void ReadRoot(const YAML::Node& yaml, const std::string& base_folder,
              absl::Status& status, Config& config) {
  MapReader root(yaml, "", status);
  ReadAddress(root, "listen", config.listen);
  ReadAddress(root, "admin", config.admin);
  ReadDevices(root, config);
  root.ReadChoice("dtype", {"auto", "float32", "bfloat16", "float16"},
                  config.dtype);
  root.Read("threads", 0, 1024, config.threads);
  ReadLogging(root, config.log_level, config.log_format);
  root.Read("log_prompts", config.log_prompts);
  ReadTracing(root, base_folder, status, config.tracing);
  ReadModels(root, base_folder, status, config);
  ReadEmbeddings(root, base_folder, config.embeddings);
  ReadKeptLatents(root, status, config.kept_latents);
  ReadFolders(root, "controlnets", base_folder, config.controlnets);
  ReadFolders(root, "ip_adapters", base_folder, config.ip_adapters);
  ReadFolders(root, "loras", base_folder, config.loras);
  root.Read("lora_budget_mb", 1, 1 << 20, config.lora_budget_mb);
  ReadFolders(root, "upscalers", base_folder, config.upscalers);
  {
    MapReader limits(root.Child("limits"), "limits", status);
    limits.Read("max_side_pixels", 64, 4096, config.limits.max_side_pixels);
    limits.Read("max_steps", 1, 1000, config.limits.max_steps);
    limits.Read("max_image_count", 1, 64, config.limits.max_image_count);
    limits.Read("max_prompt_bytes", 1, 65536, config.limits.max_prompt_bytes);
    int image_mb = config.limits.max_image_bytes >> 20;
    limits.Read("max_image_mb", 1, 256, image_mb);
    config.limits.max_image_bytes = image_mb << 20;
  }
  ReadDelivery(root, status, config.delivery);
  ReadJobs(root, base_folder, status, config.jobs);
  ReadAuth(root, base_folder, status, config.auth);
  ReadTls(root, base_folder, status, config.tls);
  ReadWebhooks(root, base_folder, status, config.webhooks);
  root.Read("insecure", config.insecure);
  ReadAddress(root, "admin_listen", config.admin_listen);
  ReadHttp(root, base_folder, status, config.http);
  ReadPictures(root, base_folder, status, config);
  root.ReadChoice("admin_api", {"loopback", "open", "off"}, config.admin_api);
  root.Read("queue_capacity", 1, 100000, config.queue_capacity);
  root.Read("max_live_runs", 1, 4096, config.max_live_runs);
  root.Read("max_batch_rows", 2, 1024, config.max_batch_rows);
  root.Read("max_wait_steps", 1, 1000, config.max_wait_steps);
  root.Read("memory_budget_mb", 0, 1 << 30, config.memory_budget_mb);
  root.Read("text_cache_mb", 0, 1 << 20, config.text_cache_mb);
  root.Read("upscale_memory_mb", 64, 1 << 20, config.upscale_memory_mb);
  root.Read("profile_folder", config.profile_folder);
  ReadSeconds(root, "shutdown_grace_seconds", 0, 86400, config.shutdown_grace);
  ReadSeconds(root, "stall_seconds", 1, 86400, config.stall_after);
}

}  // namespace

bool IsModelId(const std::string& id) {
  if (id.empty() || id.size() > 63) return false;
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  };
  if (!alphanumeric(id[0])) return false;
  for (char c : id) {
    if (!alphanumeric(c) && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

ModelFiles ModelConfig::files() const {
  ModelFiles files(path);
  files.config = config;
  files.parts = parts;
  return files;
}

absl::Status CheckAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = -1;
  const bool sound = colon != std::string::npos && colon > 0 &&
                     absl::SimpleAtoi(address.substr(colon + 1), &port) &&
                     port >= 0 && port <= 65535;
  if (sound) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", address, "\" is not host:port with a port from 0 to 65535"));
}

bool IsLoopbackAddress(const std::string& address) {
  const std::string host = address.substr(0, address.rfind(':'));
  return host == "localhost" || host == "[::1]" || host == "::1" ||
         absl::StartsWith(host, "127.");
}

absl::Status CheckReach(const Config& config) {
  const bool has_keys =
      !config.auth.keys_file.empty() || !config.auth.jwks_file.empty();
  const bool knows_callers = has_keys || !config.tls.client_ca_file.empty();
  for (const auto& [address, safe] :
       {std::pair(config.listen, knows_callers),
        std::pair(config.admin_listen, knows_callers),
        std::pair(config.http.listen, has_keys)}) {
    if (safe || config.insecure || address.empty() ||
        IsLoopbackAddress(address)) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "listen address ", address,
        " is reached from other machines, and nothing says who may call: set "
        "auth.keys_file, auth.jwks_file or tls.client_ca_file, or insecure: "
        "true if whatever stands before the server knows"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Config> ParseConfig(const std::string& yaml,
                                   const std::string& base_folder) {
  Config config;
  const absl::Status status =
      ParseYaml(yaml, [&](const YAML::Node& node, absl::Status& fault) {
        ReadRoot(node, base_folder, fault, config);
      });
  if (!status.ok()) return status;
  return config;
}

absl::StatusOr<GatewayConfig> ParseGatewayConfig(
    const std::string& yaml, const std::string& base_folder) {
  GatewayConfig config;
  config.http.listen = "127.0.0.1:8080";
  const absl::Status status =
      ParseYaml(yaml, [&](const YAML::Node& node, absl::Status& fault) {
        MapReader root(node, "", fault);
        ReadAddress(root, "server", config.server);
        ReadLogging(root, config.log_level, config.log_format);
        ReadHttp(root, base_folder, fault, config.http);
      });
  if (!status.ok()) return status;
  return config;
}

absl::StatusOr<Config> ReadConfigFile(const std::string& path) {
  return ReadFile(path, ParseConfig);
}

absl::StatusOr<GatewayConfig> ReadGatewayConfigFile(const std::string& path) {
  return ReadFile(path, ParseGatewayConfig);
}

}  // namespace genzo
