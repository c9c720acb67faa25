// Design, section 6: a picture's bits do not depend on what shares its batches.

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/server/registry.h"
#include "tests/testing/matchers.h"
#include "tests/testing/pictures.h"
#include "tests/testing/request_mixer.h"
#include "tests/testing/server.h"
#include "tests/testing/tiny_control.h"
#include "tests/testing/tiny_ip_adapter.h"
#include "tests/testing/tiny_lora.h"
#include "tests/testing/tiny_sd3.h"
#include "tests/testing/tiny_sdxl.h"
#include "worker/pipeline/pipeline_table.h"
#include "worker/sampler/sampler_table.h"

namespace genzo {
namespace {

using v1::GenerateRequest;

// Of a request that went wrong, without its pictures.
std::string Told(GenerateRequest request) {
  if (request.has_image_to_image()) {
    request.mutable_image_to_image()->clear_image();
  }
  if (request.has_inpainting()) request.mutable_inpainting()->clear_mask();
  for (auto& control : *request.mutable_controls()) control.clear_picture();
  for (auto& prompt : *request.mutable_image_prompts()) prompt.clear_pictures();
  return request.ShortDebugString();
}

// One that comes in the middle and leaves again.
std::unique_ptr<Call> Leave(const Server& server, GenerateRequest request,
                            Draws& draws) {
  request.set_seed(request.seed() + 1);
  auto call = std::make_unique<Call>(server, request);
  if (draws.OneIn(2)) call->ReadUntil(IsProgress);
  call->Cancel();
  return call;
}

// Adds the samplers of what it compared to `samplers`.
void RunMix(const Server& server, RequestMixer& mixer, Draws& draws,
            std::set<int>& samplers) {
  std::vector<GenerateRequest> requests;
  for (size_t n = 2 + draws.Below(4); n > 0; --n) {
    requests.push_back(mixer.Draw(draws));
  }
  std::vector<std::string> alone;
  for (const GenerateRequest& request : requests) {
    alone.push_back(PictureOf(Call(server, request).Rest()));
  }
  std::vector<std::unique_ptr<Call>> calls;
  std::vector<std::unique_ptr<Call>> leavers;
  for (const GenerateRequest& request : requests) {
    calls.push_back(std::make_unique<Call>(
        server, request,
        Call::Options{.tenant = draws.Choose<std::string>({"", "a", "b"})}));
    // Some come when the one before is under way.
    if (draws.OneIn(2)) calls.back()->ReadUntil(IsProgress);
    if (draws.OneIn(6)) leavers.push_back(Leave(server, request, draws));
  }
  for (size_t i = 0; i < calls.size(); ++i) {
    EXPECT_EQ(LargestDifference(PictureOf(calls[i]->Rest()), alone[i]), 0)
        << "on the CPU no company changes a bit, FAST or not: "
        << Told(requests[i]);
    samplers.insert(requests[i].sampler());
  }
  for (const auto& call : leavers) call->Rest();
}

// `mixes` of two requests and more are enough to meet each of the model's
// samplers.
void ExpectEqualBits(const Config& config, uint64_t seed, int mixes,
                     const RequestMixer::Beside& beside = {}) {
  const Server server(config);
  const auto model = GetModel(server, "tiny");
  ASSERT_THAT(model, IsOk());
  ASSERT_GT(model->samplers_size(), 0);
  ASSERT_LE(model->samplers_size(), 2 * mixes);
  RequestMixer mixer(*model, beside);
  Draws draws(seed);
  std::set<int> samplers;
  for (int mix = 0; mix < mixes; ++mix) {
    RunMix(server, mixer, draws, samplers);
  }
  EXPECT_EQ(samplers.size(), static_cast<size_t>(model->samplers_size()));
}

Config ConfigOf(const std::string& folder) {
  Config config = TinyConfig();
  config.models = {{"tiny", folder}};
  return config;
}

// Else the tests below would not meet one.
TEST(MixPropertyTest, EverySamplerOfTheTableIsOfferedByAModelThatIsMixed) {
  std::set<int> offered;
  for (const std::string& folder : {TinyModelFolder(), TinyFluxFolder()}) {
    const auto model = LoadPipeline(folder, Placement());
    ASSERT_THAT(model, IsOk());
    const auto& samplers = (*model)->traits().samplers;
    offered.insert(samplers.begin(), samplers.end());
  }
  for (const SamplerSpec& spec : Samplers()) {
    // No family that is loaded is trained for these two.
    if (spec.id == v1::SAMPLER_SCORE_VE) continue;
    if (spec.id == v1::SAMPLER_SCORE_VP) continue;
    EXPECT_EQ(offered.count(spec.id), 1) << spec.name;
  }
}

TEST(MixPropertyTest, EachPictureEqualsItsSoloRunInFloat32) {
  ExpectEqualBits(TinyConfig(), /*seed=*/1, /*mixes=*/30);
}

TEST(MixPropertyTest, EachPictureEqualsItsSoloRunInTheProcessorsType) {
  Config config = TinyConfig();
  config.dtype = "auto";
  ExpectEqualBits(config, /*seed=*/1, /*mixes=*/30);
}

// Spacings, predictions and kinds of training that only a model's file can say.
TEST(MixPropertyTest, EachPictureOfAModelWithAnotherScheduleEqualsItsSoloRun) {
  for (const char* scheduler :
       {R"({"_class_name": "DDIMScheduler", "beta_schedule": "scaled_linear",
            "timestep_spacing": "trailing", "prediction_type": "v_prediction",
            "rescale_betas_zero_snr": true})",
        R"({"_class_name": "PNDMScheduler", "beta_schedule": "scaled_linear",
            "timestep_spacing": "linspace", "skip_prk_steps": false})",
        R"({"_class_name": "EDMEulerScheduler"})"}) {
    SCOPED_TRACE(scheduler);
    const TestFolder folder;
    const Config config = ConfigOf(folder.CopyTinyModel());
    folder.Write("model/scheduler/scheduler_config.json", scheduler);
    ExpectEqualBits(config, /*seed=*/4, /*mixes=*/12);
  }
}

TEST(MixPropertyTest, EachPictureWithAdaptersEqualsItsSoloRun) {
  const TestFolder folder;
  WriteLora(folder, "ink", TinyLora(/*rank=*/2));
  WriteLora(folder, "line", TinyLora(/*rank=*/5));
  WriteLora(folder, "wash", TinyLora(/*rank=*/16, /*strength=*/0.2));
  for (const char* dtype : {"float32", "auto"}) {
    Config config = TinyConfig();
    config.dtype = dtype;
    config.loras = {folder.path()};
    ExpectEqualBits(config, /*seed=*/3, /*mixes=*/20,
                    {.loras = {"ink", "line", "wash"}});
  }
}

// Adapters, control networks, image prompts, masks and starts, all mixed.
TEST(MixPropertyTest, EachSteeredPictureEqualsItsSoloRun) {
  const TestFolder folder;
  WriteTinyControl(folder, "nets/canny");
  WriteTinyControl(folder, "nets/depth", 0.7);
  const TestFolder prompts;
  WriteTinyImageEncoder(prompts.path());
  WriteTinyIpAdapter(prompts.path(), "plain", /*plus=*/false);
  WriteTinyIpAdapter(prompts.path(), "plus", /*plus=*/true);
  const TestFolder loras;
  WriteLora(loras, "ink", TinyLora(/*rank=*/2));
  WriteLora(loras, "wash", TinyLora(/*rank=*/16, /*strength=*/0.2));
  Config config = TinyConfig();
  config.controlnets = {folder.path() + "/nets"};
  config.ip_adapters = {prompts.path()};
  config.loras = {loras.path()};
  ExpectEqualBits(config, /*seed=*/3, /*mixes=*/40,
                  {.networks = true, .loras = {"ink", "wash"}});
}

TEST(MixPropertyTest, EachPictureOfSdxlAndItsRefinerEqualsItsSoloRun) {
  const TestFolder folder;
  ExpectEqualBits(ConfigOf(WriteTinySdxl(folder, /*with_refiner=*/true)),
                  /*seed=*/2, /*mixes=*/25);
}

TEST(MixPropertyTest, EachPictureOfSd3EqualsItsSoloRun) {
  const TestFolder folder;
  ExpectEqualBits(ConfigOf(WriteTinySd3(folder)), /*seed=*/5, /*mixes=*/20);
}

TEST(MixPropertyTest, EachPictureOfFluxEqualsItsSoloRun) {
  ExpectEqualBits(ConfigOf(TinyFluxFolder()), /*seed=*/6, /*mixes=*/20);
}

}  // namespace
}  // namespace genzo
