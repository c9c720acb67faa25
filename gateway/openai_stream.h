#ifndef GENZO_GATEWAY_OPENAI_STREAM_H_
#define GENZO_GATEWAY_OPENAI_STREAM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gateway/backend.h"
#include "gateway/http.h"
#include "gateway/openai_images.h"
#include "genzo/v1/image_generation.pb.h"
#include "nlohmann/json.hpp"

namespace genzo {

// What OpenAI's clients are told of a picture's size, "64x48".
std::string OpenAiSize(const v1::Picture& picture);

// Tokens are what these clients count. Put in: about four bytes of prompt each.
// Put out: steps of the sampler, which is what the service charges.
nlohmann::json OpenAiUsage(const v1::GenerateRequest& request, int64_t steps);

// Turns a job's events into those of OpenAI's stream. Its members are called
// one at a time.
class OpenAiStream {
 public:
  // `after` is the last event that the client has had.
  OpenAiStream(OpenAiCall call, uint64_t after, absl::Time created,
               HttpExchangeRef exchange)
      : call_(std::move(call)),
        after_(after),
        created_(absl::ToUnixSeconds(created)),
        exchange_(std::move(exchange)) {}
  // Of a picture that is enlarged, of which there are no looks: each of the
  // job's tiles is told as "image_upscale.progress".
  static std::shared_ptr<OpenAiStream> OfUpscaling(const OpenAiAnswer& answer,
                                                   absl::Time created,
                                                   HttpExchangeRef exchange);

  void Take(v1::JobEvent event, EventTurn turn);
  // A status before any event is an answer of its own.
  void End(const absl::Status& status);

 private:
  void WriteError(const absl::Status& status);
  nlohmann::json Base(const std::string& kind, uint32_t image_index,
                      const v1::Picture& picture) const;
  nlohmann::json Partial(const v1::Preview& preview) const;
  nlohmann::json Completed(const v1::Image& image) const;

  nlohmann::json Tiles(const v1::Progress& progress) const;
  absl::Status Told(const absl::Status& status) const;

  const OpenAiCall call_;
  const uint64_t after_;
  const int64_t created_;
  const HttpExchangeRef exchange_;
  bool enlarges_ = false;
  bool has_begun_ = false;
  // Pictures that the client has, as long as its number may be another job's.
  std::vector<std::string> skipped_;
  int64_t steps_ = 0;
  std::vector<uint32_t> withheld_;  // images
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_OPENAI_STREAM_H_
