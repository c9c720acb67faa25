// Real clients against a real server on a free port, with a tiny model.

#include <webp/decode.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "client/picture_reader.h"
#include "tests/server/held_walks.h"
#include "tests/server/registry.h"
#include "tests/testing/matchers.h"
#include "tests/testing/pictures.h"
#include "tests/testing/server.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using v1::GenerateRequest;
using v1::JobEvent;

GenerateRequest Fox(uint32_t steps) {
  GenerateRequest request;
  request.set_prompt("a red fox in the snow");
  request.set_seed(7);
  request.set_steps(steps);
  return request;
}

TEST(EndToEndTest, APromptBecomesAPicture) {
  const Server server(TinyConfig());
  Call call(server, Fox(4));
  const auto events = call.Rest();
  ASSERT_TRUE(call.status().ok()) << call.status().error_message();
  EXPECT_TRUE(events.front().has_queued());
  EXPECT_TRUE(Succeeded(events.back()));
  EXPECT_EQ(events.back().ended().steps_run(), 4u)
      << "moves, of which PLMS makes one with two evaluations";
  uint64_t sequence = 0;
  int images = 0;
  for (const JobEvent& event : events) {
    EXPECT_GT(event.sequence(), sequence);
    sequence = event.sequence();
    EXPECT_EQ(event.job_id(), events.front().job_id());
    images += event.has_image() ? 1 : 0;
  }
  EXPECT_EQ(images, 1);
  const auto image = ReadPicture(PictureOf(events));
  ASSERT_THAT(image, IsOk());
  EXPECT_EQ(image->width, 64);
  EXPECT_EQ(image->height, 64);
}

TEST(EndToEndTest, TheSameSeedGivesTheSamePicture) {
  const Server server(TinyConfig());
  Call first(server, Fox(4));
  const std::string picture = PictureOf(first.Rest());
  Call second(server, Fox(4));
  EXPECT_EQ(LargestDifference(PictureOf(second.Rest()), picture), 0);
  GenerateRequest other = Fox(4);
  other.set_seed(8);
  Call third(server, other);
  EXPECT_GT(LargestDifference(PictureOf(third.Rest()), picture), 1);
}

TEST(EndToEndTest, ImagesOfOneRequestHaveSeedsOfTheirOwn) {
  const Server server(TinyConfig());
  GenerateRequest request = Fox(3);
  request.set_image_count(3);
  request.set_width(72);
  Call call(server, request);
  std::vector<std::string> pictures(3);
  for (const JobEvent& event : call.Rest()) {
    if (!event.has_image()) continue;
    const uint32_t index = event.image().image_index();
    EXPECT_EQ(event.image().seed(), 7u + index);
    pictures[index] = event.image().picture().data();
  }
  GenerateRequest single = Fox(3);
  single.set_width(72);
  single.set_seed(9);
  Call alone(server, single);
  EXPECT_LE(LargestDifference(PictureOf(alone.Rest()), pictures[2]), 1);
}

TEST(EndToEndTest, PreviewsComeAtTheStepsThatWereAskedFor) {
  const Server server(TinyConfig());
  GenerateRequest request = Fox(6);
  request.set_sampler(v1::SAMPLER_DDIM);
  request.mutable_preview()->add_steps(2);
  request.mutable_preview()->add_steps(5);
  request.mutable_preview()->add_steps(6);
  Call call(server, request);
  std::vector<std::pair<uint32_t, uint32_t>> seen;  // step, width
  for (const JobEvent& event : call.Rest()) {
    if (!event.has_preview()) continue;
    const v1::Preview& preview = event.preview();
    seen.push_back({preview.step(), preview.picture().width()});
    EXPECT_THAT(ReadPicture(preview.picture().data()), IsOk());
    EXPECT_EQ(preview.picture().media_type(), "image/png");
  }
  // LINEAR has the latent's size, FULL the picture's.
  EXPECT_THAT(seen,
              ::testing::ElementsAre(std::pair(2u, 8u), std::pair(5u, 64u)));
}

TEST(EndToEndTest, PreviewsShrink) {
  const Server server(TinyConfig());
  GenerateRequest request = Fox(4);
  request.mutable_preview()->add_steps(1);
  request.mutable_preview()->set_decoder(v1::PREVIEW_DECODER_FULL);
  request.mutable_preview()->set_longest_side(32);
  Call call(server, request);
  ASSERT_TRUE(call.ReadUntil([](const JobEvent& event) {
    return event.has_preview() && event.preview().picture().width() == 32;
  }));
}

TEST(EndToEndTest, TheSmallDecoderShowsPreviewsWhereThereIsOne) {
  const TestFolder folder;
  Config config = TinyConfig();
  config.models[0].path = folder.CopyTinyModel();
  std::filesystem::copy(SourcePath("tests/data/tiny_vae"),
                        config.models[0].path + "/tiny_vae");
  config.models.push_back({"without", TinyModelFolder()});
  const Server server(config);
  GenerateRequest request = Fox(4);
  request.mutable_preview()->add_steps(1);
  request.mutable_preview()->set_decoder(v1::PREVIEW_DECODER_TINY);
  Call call(server, request);
  v1::Picture preview;
  for (const JobEvent& event : call.Rest()) {
    if (event.has_preview()) preview = event.preview().picture();
  }
  EXPECT_EQ(preview.width(), 64u);
  request.set_model("without");
  Call refused(server, request);
  refused.Rest();
  EXPECT_EQ(refused.status().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(refused.status().error_message().find("no tiny decoder"),
            std::string::npos);
}

TEST(EndToEndTest, PreviewsAndPicturesHaveFormatsOfTheirOwn) {
  const Server server(TinyConfig());
  GenerateRequest request = Fox(4);
  request.mutable_preview()->add_steps(1);
  request.mutable_preview()->set_format(v1::IMAGE_FORMAT_JPEG);
  request.mutable_output()->set_format(v1::IMAGE_FORMAT_WEBP);
  Call call(server, request);
  v1::Picture preview;
  v1::Picture image;
  for (const JobEvent& event : call.Rest()) {
    if (event.has_preview()) preview = event.preview().picture();
    if (event.has_image()) image = event.image().picture();
  }
  EXPECT_EQ(preview.media_type(), "image/jpeg");
  const auto shown = ReadPicture(preview.data());
  ASSERT_THAT(shown, IsOk()) << "the terminal shows it";
  EXPECT_EQ(shown->width, static_cast<int>(preview.width()));
  EXPECT_EQ(preview.data().find("Exif"), std::string::npos);
  EXPECT_EQ(image.media_type(), "image/webp");
  int width = 0;
  int height = 0;
  EXPECT_EQ(WebPGetInfo(reinterpret_cast<const uint8_t*>(image.data().data()),
                        image.data().size(), &width, &height),
            1);
  EXPECT_EQ(width, 64);
  EXPECT_EQ(height, 64);
  EXPECT_NE(image.data().find("UNICODE"), std::string::npos);
}

TEST(EndToEndTest, ParametersStandInThePicture) {
  const Server server(TinyConfig());
  Call with(server, Fox(2));
  EXPECT_NE(PictureOf(with.Rest()).find("a red fox in the snow"),
            std::string::npos);
  GenerateRequest request = Fox(2);
  request.mutable_output()->set_embed_parameters(false);
  Call without(server, request);
  EXPECT_EQ(PictureOf(without.Rest()).find("a red fox"), std::string::npos);
}

// A server whose images of kHeldSteps steps live until the test lets them go.
class HeldTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kHeldSteps = 30;

  void Start(const Config& config = TinyConfig()) {
    server_.emplace(config, walks_.source());
  }
  // Two rows or four, it takes as long: sharing pays, whatever was measured.
  void HaveSharingPay() {
    server_->load().speeds().SetSpeed(
        /*device=*/0, "tiny",
        {.costs = StepCosts(
             {{2, absl::Milliseconds(1)}, {4, absl::Milliseconds(1)}}),
         .own_pixels = 64 * 64,
         .largest_batch = 4,
         .decode = absl::ZeroDuration()});
  }
  const ModelMetrics& metrics() { return server_->metrics().ForModel("tiny"); }
  // Of three rows or four.
  uint64_t SharedEvaluations() {
    return metrics()
        .StepSeconds(/*pixels=*/1, /*rows=*/4)
        .Collect()
        .histogram.sample_count;
  }

  HeldWalks walks_{kHeldSteps};
  std::optional<Server> server_;
};

TEST_F(HeldTest, TwoClientsStreamAtOnceAndShareEvaluations) {
  Start();
  HaveSharingPay();
  Call slow(*server_, Fox(kHeldSteps));
  ASSERT_TRUE(slow.ReadUntil(IsProgress));
  EXPECT_EQ(SharedEvaluations(), 0u);
  Call quick(*server_, Fox(5));
  EXPECT_TRUE(Succeeded(quick.Rest().back())) << "before the slow one";
  EXPECT_GT(SharedEvaluations(), 0u);
  walks_.LetGo();
  EXPECT_TRUE(Succeeded(slow.Rest().back()));
}

TEST_F(HeldTest, ARequestAmongOthersEqualsTheSameAlone) {
  Start();
  HaveSharingPay();
  Call alone(*server_, Fox(8));
  const std::string expected = PictureOf(alone.Rest());
  GenerateRequest other = Fox(kHeldSteps);
  other.set_prompt("fog");
  other.set_guidance_scale(1);
  other.set_sampler(v1::SAMPLER_EULER);
  Call neighbour(*server_, other);
  ASSERT_TRUE(neighbour.ReadUntil(IsProgress));
  EXPECT_EQ(SharedEvaluations(), 0u);
  Call together(*server_, Fox(8));
  EXPECT_LE(LargestDifference(PictureOf(together.Rest()), expected), 1);
  EXPECT_GT(SharedEvaluations(), 0u) << "it was among others";
  neighbour.Cancel();
  neighbour.Rest();
}

TEST_F(HeldTest, CancellingFreesTheSlot) {
  Config config = TinyConfig();
  config.max_live_runs = 1;
  Start(config);
  Call doomed(*server_, Fox(kHeldSteps));
  ASSERT_TRUE(doomed.ReadUntil(IsProgress));
  Call next(*server_, Fox(2));
  JobEvent event;
  ASSERT_TRUE(next.Read(event));
  EXPECT_TRUE(event.has_queued());
  doomed.Cancel();
  doomed.Rest();
  EXPECT_EQ(doomed.status().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Succeeded(next.Rest().back()));
  EXPECT_EQ(metrics().jobs_cancelled.Value(), 1);
  EXPECT_EQ(metrics().jobs_running.Value(), 0);
}

TEST_F(HeldTest, AFullQueueAsksToComeBack) {
  Config config = TinyConfig();
  config.max_live_runs = 1;
  config.queue_capacity = 1;
  Start(config);
  Call live(*server_, Fox(kHeldSteps));
  ASSERT_TRUE(live.ReadUntil(IsProgress));
  Call waiting(*server_, Fox(1));
  JobEvent event;
  ASSERT_TRUE(waiting.Read(event));
  EXPECT_EQ(event.queued().position(), 0u);
  Call refused(*server_, Fox(1));
  EXPECT_TRUE(refused.Rest().empty());
  EXPECT_EQ(refused.status().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(refused.reason(), "QUEUE_FULL");
  EXPECT_GE(refused.retry_after(), absl::Seconds(1));
  EXPECT_EQ(refused.context().GetServerTrailingMetadata().count(
                "grpc-retry-pushback-ms"),
            1u);
  walks_.LetGo();
  EXPECT_TRUE(Succeeded(live.Rest().back()));
  EXPECT_TRUE(Succeeded(waiting.Rest().back())) << "accepted is not lost";
}

TEST_F(HeldTest, AClosedQueueIsDraining) {
  Start();
  Call live(*server_, Fox(kHeldSteps));
  ASSERT_TRUE(live.ReadUntil(IsProgress));
  server_->queue().Close();
  Call late(*server_, Fox(1));
  late.Rest();
  EXPECT_EQ(late.reason(), "DRAINING");
  walks_.LetGo();
  EXPECT_TRUE(Succeeded(live.Rest().back()));
}

TEST(EndToEndTest, RefusesBadRequestsAndServesOn) {
  const Server server(TinyConfig());
  GenerateRequest bad = Fox(4);
  bad.set_width(1000001);
  bad.set_prompt(std::string(1 << 20, 'x'));
  Call call(server, bad);
  EXPECT_TRUE(call.Rest().empty());
  EXPECT_EQ(call.status().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(call.status().error_message().find("width 1000001"),
            std::string::npos);
  EXPECT_NE(call.status().error_message().find("prompt has 1048576 bytes"),
            std::string::npos);
  GenerateRequest unknown = Fox(4);
  unknown.set_model("nonesuch");
  Call lost(server, unknown);
  lost.Rest();
  EXPECT_EQ(lost.status().error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_NE(lost.status().error_message().find("known models: tiny"),
            std::string::npos);
  Call good(server, Fox(2));
  EXPECT_TRUE(Succeeded(good.Rest().back()));
}

TEST(EndToEndTest, ABrokenModelLeavesTheOthersAlone) {
  const TestFolder folder;
  Config config = TinyConfig();
  config.models.push_back({"broken", folder.path() + "/nowhere"});
  const Server server(config);
  GenerateRequest request = Fox(2);
  request.set_model("broken");
  Call call(server, request);
  call.Rest();
  EXPECT_EQ(call.status().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(call.reason(), "MODEL_FAILED");
  EXPECT_NE(call.status().error_message().find("/nowhere"), std::string::npos);
  Call good(server, Fox(2));
  EXPECT_TRUE(Succeeded(good.Rest().back()));

  const auto registry = v1::ModelRegistry::NewStub(server.Channel());
  grpc::ClientContext context;
  v1::ListModelsResponse models;
  ASSERT_TRUE(registry->ListModels(&context, {}, &models).ok());
  ASSERT_EQ(models.models_size(), 2);
  EXPECT_EQ(models.models(0).state(), v1::Model::STATE_FAILED);
  EXPECT_EQ(models.models(1).state(), v1::Model::STATE_RESIDENT);
  EXPECT_GT(models.models(1).weight_bytes(), 0u);
}

TEST(EndToEndTest, TellsAboutOneModel) {
  const Server server(TinyConfig());
  const auto model = GetModel(server, "tiny");
  ASSERT_THAT(model, IsOk());
  EXPECT_EQ(model->default_width(), 64u);
  EXPECT_EQ(model->default_sampler(), v1::SAMPLER_PNDM);
  ASSERT_EQ(model->samplers_size(), 22) << "all but those of other kinds";
  EXPECT_EQ(model->samplers(4).sampler(), v1::SAMPLER_DPMPP_2M);
  EXPECT_EQ(model->samplers(4).schedules(0), v1::NOISE_SCHEDULE_KARRAS);
  EXPECT_EQ(model->tasks(0), v1::TASK_TEXT_TO_IMAGE);
  EXPECT_TRUE(model->is_default());
  EXPECT_THAT(GetModel(server, ""), StatusIs(kInvalid, ""));
}

TEST(EndToEndTest, ASamplerThatNeedsMoreStepsSaysSo) {
  const TestFolder folder;
  Config config = TinyConfig();
  config.models[0].path = folder.CopyTinyModel();
  const std::string scheduler =
      config.models[0].path + "/scheduler/scheduler_config.json";
  std::string text = ReadFile(scheduler);
  const std::string skip = "\"skip_prk_steps\": true";
  text.replace(text.find(skip), skip.size(), "\"skip_prk_steps\": false");
  std::filesystem::permissions(scheduler, std::filesystem::perms::owner_all);
  std::ofstream(scheduler) << text;
  const Server server(config);
  Call call(server, Fox(3));
  call.Rest();
  EXPECT_EQ(call.status().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(call.reason(), "INVALID_FIELD");
  EXPECT_NE(call.status().error_message().find("steps 3"), std::string::npos);
}

TEST(EndToEndTest, FiguresAreFed) {
  Server server(TinyConfig());
  GenerateRequest request = Fox(4);
  request.mutable_preview()->add_steps(1);
  Call call(server, request);
  ASSERT_TRUE(Succeeded(call.Rest().back()));
  const std::string text = server.metrics().Text();
  for (const char* line :
       {"genzo_jobs_total{model=\"tiny\",outcome=\"succeeded\"} 1",
        "genzo_denoise_steps_total{model=\"tiny\"} 5",
        "genzo_step_duration_seconds_count{model=\"tiny\",rows=\"2\",size="
        "\"256\"} 5",
        "genzo_images_total{model=\"tiny\"} 1",
        "genzo_previews_total{model=\"tiny\"} 1",
        "genzo_cost_units_total{tenant_class=\"normal\"} ",
        "genzo_device_up{device=\"cpu:0\"} 1",
        "genzo_batch_size_sum{model=\"tiny\"} 10",
        "genzo_time_to_first_preview_seconds_count{model=\"tiny\"} 1",
        "genzo_job_duration_seconds_count{model=\"tiny\",stage=\"total\"} 1",
        "genzo_model_loaded{model=\"tiny\"} 1",
        "genzo_queue_depth{model=\"tiny\",priority=\"normal\"} 0",
        "genzo_queue_cost_units{model=\"tiny\"} 0"}) {
    EXPECT_THAT(text, ::testing::HasSubstr(line));
  }
}

TEST(FrontEndTest, APortInUseIsAnError) {
  const Server server(TinyConfig());
  EXPECT_THAT(server.StartAnother(),
              StatusIs(absl::StatusCode::kUnavailable, server.address()));
}

}  // namespace
}  // namespace genzo
