#ifndef GENZO_BASE_CONFIG_H_
#define GENZO_BASE_CONFIG_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/api_keys.h"
#include "base/model_files.h"
#include "base/picture_config.h"

namespace genzo {

// A model and the name that requests use for it.
struct ModelConfig {
  std::string id;       // [a-z0-9][a-z0-9._-]{0,62}
  std::string path;     // absolute, or relative to the process
  bool pinned = false;  // stays in memory whatever the budget says
  // What ModelFiles has beside the path: likewise absolute or relative.
  std::string config = {};
  std::map<std::string, std::string> parts = {};
  std::string stamp = {};  // of one that was found in a folder

  ModelFiles files() const;
  bool operator==(const ModelConfig&) const = default;
};

// Whether `id` can be a model's.
bool IsModelId(const std::string& id);

// What a request may ask for, over all models.
struct RequestLimits {
  int max_side_pixels = 2048;      // 64 to 4096
  int max_steps = 150;             // 1 to 1000
  int max_image_count = 8;         // 1 to 64
  int max_prompt_bytes = 8192;     // 1 to 65536
  int max_image_bytes = 20 << 20;  // of an input picture's file, up to 256 MiB
  PictureRules pictures = {};      // of Config's scorers, safety, provenance
  bool operator==(const RequestLimits&) const = default;
};

// How much of finished pictures the server holds for readers that are slow,
// away or may come back.
struct DeliveryLimits {
  // Streams of events at once, 1 to 1000000. The last eighth is for tenants
  // that have less than an even share of them.
  int max_streams = 1024;
  // Bytes of pictures that wait for their readers.
  int64_t job_bytes = int64_t{256} << 20;
  int64_t tenant_bytes = int64_t{512} << 20;
  int64_t process_bytes = int64_t{1024} << 20;
  // A reader that takes nothing for so long, while something waits, is given
  // up.
  absl::Duration reader_timeout = absl::Minutes(5);
  // How long the results of a request with an id, or of a job of the Jobs
  // service, are kept after its end.
  absl::Duration results_kept = absl::Hours(24);
  bool operator==(const DeliveryLimits&) const = default;
};

// What is kept of jobs after their end.
struct JobsConfig {
  std::string results_folder;  // empty: in memory, until the process ends
  int64_t results_bytes = int64_t{10240} << 20;  // in the folder
  size_t most_jobs = 10'000;                     // known at once
  bool operator==(const JobsConfig&) const = default;
};

// Latents that requests leave for later ones.
struct KeptLatents {
  int64_t bytes = int64_t{64} << 20;
  int64_t tenant_bytes = int64_t{16} << 20;  // at most `bytes`
  bool operator==(const KeptLatents&) const = default;
};

// Who may call. Without a file of either kind, everybody who reaches the
// server.
struct AuthConfig {
  std::string keys_file;               // of API keys, made by genzo-tool key
  std::string jwks_file;               // of the keys that sign tokens
  std::string jwt_issuer;              // that tokens must name
  std::string jwt_audience;            // likewise
  std::string tenant_claim = "sub";    // of a token, names the tenant
  std::string scopes_claim = "scope";  // of a token, words
  // Of a token, an object of limits (TakeLimits()) in place of those below.
  std::string limits_claim = "genzo_limits";
  Grant token_limits;  // weight and limits of all tokens; the rest is unused
  bool operator==(const AuthConfig&) const = default;
};

// Whom jobs may have told of their ends.
struct WebhookConfig {
  // "host", for port 443, or "host:port"; empty: nobody.
  std::vector<std::string> hosts;
  // Of those, the ones that may have addresses of private networks or of this
  // machine.
  std::vector<std::string> private_hosts;
  std::string secret_file;  // with which requests are signed
  std::string ca_file;      // PEM, of their certificates; empty: the system's
  bool operator==(const WebhookConfig&) const = default;
};

// Where spans are sent.
struct TracingConfig {
  // Of an OTLP/HTTP collector, "http://collector:4318"; empty: no spans. Traces
  // of callers are passed on all the same.
  std::string endpoint;
  // Of traces that begin here; who calls decides over their own. 0 to 1.
  double sample_ratio = 1;
  std::string ca_file;  // PEM, of an https endpoint; empty: the system's
  // "name: value" lines that the collector is sent, with its key; read again
  // when they change. Empty: none.
  std::string headers_file;
  bool operator==(const TracingConfig&) const = default;
};

// How connections are secured. Files are read again when they change.
struct TlsConfig {
  std::string cert_file;  // PEM, the server's first; empty: no TLS
  std::string key_file;
  std::string client_ca_file;  // empty: clients need no certificate
  bool operator==(const TlsConfig&) const = default;
};

// The HTTP door. Paths are absolute, or relative to the process.
struct HttpConfig {
  std::string listen;          // host:port; empty: no door
  std::string certificate;     // PEM chain; empty: no TLS
  std::string key;             // PEM; given exactly if `certificate` is
  std::string client_ca_file;  // empty: clients need no certificate
  std::string page;            // folder of the page's files; empty: no page
  // What stands before the paths of pictures, "https://example.com"; empty: the
  // name by which the client called.
  std::string public_url;
  std::string link_key_file;         // signs links; empty: random at start
  std::vector<std::string> origins;  // whose pages may call; "*": all
  // Names that clients have built in, and the ids of models that are meant.
  std::map<std::string, std::string> model_aliases;
  int max_connections = 1024;  // 1 to 100000
  // Of one address, 0 to 100000; 0: half of max_connections.
  int max_connections_per_address = 0;
  int64_t max_body_bytes = int64_t{48} << 20;
  int64_t picture_bytes = int64_t{256} << 20;  // behind links
  absl::Duration links_kept = absl::Minutes(60);
  bool operator==(const HttpConfig&) const = default;
};

// Settings of a door that stands alone.
struct GatewayConfig {
  std::string server = "127.0.0.1:50051";  // host:port of the gRPC server
  std::string log_level = "info";          // as in Config
  std::string log_format = "text";         // likewise
  std::string admin;  // host:port of /metrics and /livez; empty: off
  HttpConfig http;
};

// Settings of the server. Read once at start, const after. deploy/genzo.yaml
// is the commented example.
struct Config {
  std::string listen = "127.0.0.1:50051";  // host:port of the gRPC server
  std::string admin;  // host:port of HTTP pages; empty: off
  // auto, cpu, cpu:N (N workers on the CPU), cuda or cuda:N each.
  std::vector<std::string> devices = {"auto"};
  std::string dtype = "auto";  // auto, float32, bfloat16 or float16
  int threads = 0;  // of all CPU workers; 0: one per core of affinity and quota
  std::vector<ModelConfig> models;  // at least one, or a models_folder
  std::string models_folder;  // whatever model lies in it is one; empty: none
  std::vector<std::string> controlnets;  // folders of control networks
  std::vector<std::string> ip_adapters;  // folders of image prompt adapters
  std::string default_model;             // empty: the first
  std::vector<std::string> embeddings;   // folders of textual inversions
  KeptLatents kept_latents;
  std::vector<std::string> loras;  // folders of adapters
  int lora_budget_mb = 1024;  // of them in memory, a device, out of the models'
  // Folders whose *.safetensors and *.pth files enlarge pictures.
  std::vector<std::string> upscalers;
  RequestLimits limits;
  DeliveryLimits delivery;
  JobsConfig jobs;
  WebhookConfig webhooks;
  AuthConfig auth;
  TlsConfig tls;
  bool insecure = false;  // other machines may call, without proving anything
  std::string admin_listen;  // host:port of ModelAdmin; empty: `listen`
  bool reflection = true;    // at `listen`: clients may ask what there is
  // gRPC's figures of connections and calls, at `admin_listen`, which has to be
  // a loopback address: nobody is asked for a key.
  bool channelz = false;
  HttpConfig http;
  std::vector<ScorerConfig> scorers;
  SafetyConfig safety;
  ProvenanceConfig provenance;
  ResultCacheConfig result_cache;
  std::string admin_api = "loopback";  // who may administer: or open, off
  // Exceeded up to twofold for tenants with less than their share.
  int queue_capacity = 64;       // jobs waiting, 1 to 100000
  int max_live_runs = 32;        // images being painted, 1 to 4096
  int max_batch_rows = 16;       // rows of one evaluation, 2 to 1024
  int max_wait_steps = 16;       // evaluations that a run may be passed over
  int memory_budget_mb = 0;      // of models, a device; 0: 80 % of its memory
  int text_cache_mb = 64;        // of text embeddings, a device
  int upscale_memory_mb = 1024;  // of one tile that is enlarged, a device
  std::string profile_folder;    // where measured profiles are kept; empty:
                                 // $XDG_CACHE_HOME/genzo or ~/.cache/genzo
  absl::Duration shutdown_grace = absl::Seconds(30);  // to finish live jobs
  // Without a step, while jobs wait, before the server calls itself unready.
  absl::Duration stall_after = absl::Minutes(2);
  std::string log_level = "info";   // debug, info, warning, error, off
  std::string log_format = "text";  // or json: an object a line
  bool log_prompts = false;         // of accepted jobs
  TracingConfig tracing;
};

// OK if `address` is "host:port"; otherwise INVALID_ARGUMENT.
absl::Status CheckAddress(const std::string& address);

// Whether only this machine reaches a server that listens on "host:port".
bool IsLoopbackAddress(const std::string& address);

// OK if only this machine can call, if callers prove who they are, or if the
// configuration says `insecure`; else INVALID_ARGUMENT: nobody is to serve the
// world by accident.
absl::Status CheckReach(const Config& config);

// Reads a YAML text. Relative model paths become relative to `base_folder`.
// INVALID_ARGUMENT for bad YAML, unknown keys, wrong types and values out of
// range; the message names the key's path ("limits.max_steps 0 is not ...").
absl::StatusOr<Config> ParseConfig(const std::string& yaml,
                                   const std::string& base_folder);

// ParseConfig of a file, with relative paths from its folder. NOT_FOUND if it
// cannot be read.
absl::StatusOr<Config> ReadConfigFile(const std::string& path);

// The same for a file of GatewayConfig, which has the keys server, admin,
// log_level, log_format and http.
absl::StatusOr<GatewayConfig> ParseGatewayConfig(
    const std::string& yaml, const std::string& base_folder);
absl::StatusOr<GatewayConfig> ReadGatewayConfigFile(const std::string& path);

}  // namespace genzo

#endif  // GENZO_BASE_CONFIG_H_
