#ifndef GENZO_BASE_CONFIG_SERVICE_H_
#define GENZO_BASE_CONFIG_SERVICE_H_

#include <string>

#include "base/config.h"
#include "base/map_reader.h"

namespace genzo {

// The parts of a configuration that say how the service is reached and what it
// keeps. Faults go into the reader's status.

void ReadDelivery(MapReader& root, absl::Status& status,
                  DeliveryLimits& limits);
void ReadKeptLatents(MapReader& root, absl::Status& status,
                     KeptLatents& latents);
void ReadJobs(MapReader& root, const std::string& base_folder,
              absl::Status& status, JobsConfig& jobs);
void ReadAuth(MapReader& root, const std::string& base_folder,
              absl::Status& status, AuthConfig& auth);
void ReadWebhooks(MapReader& root, const std::string& base_folder,
                  absl::Status& status, WebhookConfig& webhooks);
void ReadTls(MapReader& root, const std::string& base_folder,
             absl::Status& status, TlsConfig& tls);
void ReadTracing(MapReader& root, const std::string& base_folder,
                 absl::Status& status, TracingConfig& tracing);
void ReadLogging(MapReader& root, std::string& level, std::string& format);
void ReadHttp(MapReader& root, const std::string& base_folder,
              absl::Status& status, HttpConfig& config);

}  // namespace genzo

#endif  // GENZO_BASE_CONFIG_SERVICE_H_
