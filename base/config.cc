#include "base/config.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/config_models.h"
#include "base/config_pictures.h"
#include "base/config_service.h"
#include "base/map_reader.h"
#include "yaml-cpp/yaml.h"

namespace genzo {
namespace {

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

// What gRPC brings itself, beside our services.
void ReadOwnServices(MapReader& root, Config& config) {
  root.Read("reflection", config.reflection);
  root.Read("channelz", config.channelz);
  if (!config.channelz || IsLoopbackAddress(config.admin_listen)) return;
  root.Fail(absl::StrCat("channelz true asks nobody for a key: admin_listen \"",
                         config.admin_listen,
                         "\" is not an address of this machine alone, such as "
                         "127.0.0.1:50052"));
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
  ReadFolders(root, "embeddings", base_folder, config.embeddings);
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
  ReadOwnServices(root, config);
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
  files.stamp = stamp;
  return files;
}

absl::Status CheckAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  const std::string digits =
      colon == std::string::npos ? "" : address.substr(colon + 1);
  int port = -1;
  // The conversion alone would take signs and spaces.
  const bool sound =
      colon > 0 &&
      digits.find_first_not_of("0123456789") == std::string::npos &&
      absl::SimpleAtoi(digits, &port) && port <= 65535;
  if (sound) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", address, "\" is not host:port with a port from 0 to 65535"));
}

bool IsLoopbackAddress(const std::string& address) {
  const std::string host = address.substr(0, address.rfind(':'));
  return host == "localhost" || host == "[::1]" || host == "::1" ||
         (absl::StartsWith(host, "127.") &&
          host.find_first_not_of("0123456789.") == std::string::npos);
}

absl::Status CheckReach(const Config& config) {
  const bool has_keys =
      !config.auth.keys_file.empty() || !config.auth.jwks_file.empty();
  const auto& grpc_ca = config.tls.client_ca_file;
  const auto& http_ca = config.http.client_ca_file;
  for (const auto& [address, client_ca, setting] :
       {std::tuple(config.listen, grpc_ca, "tls.client_ca_file"),
        std::tuple(config.admin_listen, grpc_ca, "tls.client_ca_file"),
        std::tuple(config.http.listen, http_ca, "http.client_ca_file")}) {
    if (has_keys || !client_ca.empty() || config.insecure || address.empty() ||
        IsLoopbackAddress(address)) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "listen address ", address,
        " is reached from other machines, and nothing says who may call: set "
        "auth.keys_file, auth.jwks_file or ",
        setting,
        ", or insecure: true if whatever stands before the server knows"));
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
        ReadAddress(root, "admin", config.admin);
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
