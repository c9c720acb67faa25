#include "worker/pipeline/ip_adapter.h"

#include <filesystem>

#include "ATen/TensorOperators.h"
#include "ATen/ops/rand.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/runs.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/tiny_ip_adapter.h"

namespace genzo {
namespace {

class IpAdapterTest : public ::testing::Test {
 protected:
  IpAdapterTest() {
    WriteTinyImageEncoder(folder_.path());
    plain_ = *IpAdapter::Load(
        WriteTinyIpAdapter(folder_.path(), "plain", /*plus=*/false),
        Placement());
    plus_ = *IpAdapter::Load(
        WriteTinyIpAdapter(folder_.path(), "plus", /*plus=*/true), Placement());
  }

  static PictureInput Input(const std::shared_ptr<const IpAdapter>& adapter,
                            double weight = 0.7) {
    return {.adapter = adapter,
            .pictures = {at::rand({1, 3, 16, 16})},
            .weight = weight};
  }

  static genzo::Run MakeRun(double guidance,
                            const std::vector<PictureInput>& inputs) {
    v1::GenerateRequest request;
    request.set_prompt("a fox");
    request.set_guidance_scale(guidance);
    request.set_sampler(v1::SAMPLER_DDIM);
    request.set_steps(3);
    request.set_width(64);
    request.set_height(64);
    TextCache texts(/*max_bytes=*/1 << 20);
    const auto encoded =
        TinyPipeline().Encode({{.request = request, .image_prompts = inputs}},
                              /*together=*/true, texts);
    return genzo::Run(*TinyPipeline().Plan(
        {.request = request, .noise = std::make_shared<SeededNoise>(5)},
        *encoded[0]));
  }

  static at::Tensor Alone(double guidance,
                          const std::vector<PictureInput>& inputs) {
    std::vector<genzo::Run> runs;
    runs.push_back(MakeRun(guidance, inputs));
    FinishRuns(runs);
    return runs[0].latent();
  }

  c10::InferenceMode inference_;
  const TestFolder folder_;
  std::shared_ptr<const IpAdapter> plain_, plus_;
};

TEST_F(IpAdapterTest, FitsTheUNetThatItIsFor) {
  const std::string& fit = TinyPipeline().traits().picture_fit;
  EXPECT_FALSE(fit.empty());
  for (const char* name : {"plain", "plus"}) {
    const std::string path =
        absl::StrCat(folder_.path(), "/", name, ".safetensors");
    EXPECT_EQ(*IpAdapter::FitAt(path), fit);
    EXPECT_GT(*IpAdapter::BytesAt(path, Placement()), 1000);
  }
}

TEST_F(IpAdapterTest, RowsWithAnyPicturesEqualTheirSoloRuns) {
  const std::pair<double, std::vector<PictureInput>> all[] = {
      {7.5, {}},
      {7.5, {Input(plain_)}},
      {1, {Input(plus_)}},
      {3, {Input(plus_), Input(plain_, 0.3)}},
      {1, {}},
      {5,
       {{.adapter = plain_,
         .pictures = {at::rand({1, 3, 16, 16}), at::rand({1, 3, 16, 16})},
         .weight = 1}}}};
  std::vector<genzo::Run> together;
  for (const auto& [guidance, inputs] : all) {
    together.push_back(MakeRun(guidance, inputs));
    EXPECT_EQ(together.back().key(), together[0].key());
  }
  FinishRuns(together);
  for (size_t i = 0; i < std::size(all); ++i) {
    EXPECT_THAT(together[i].latent(),
                TensorEquals(Alone(all[i].first, all[i].second)))
        << i;
  }
}

TEST_F(IpAdapterTest, PicturesAndWeightsCount) {
  PictureInput input = Input(plain_);
  const at::Tensor seen = Alone(7.5, {input});
  input.weight = 0;
  EXPECT_THAT(Alone(7.5, {input}), TensorEquals(Alone(7.5, {})));
  EXPECT_FALSE(at::equal(seen, Alone(7.5, {})));
  EXPECT_FALSE(at::equal(seen, Alone(7.5, {Input(plain_)})));
  EXPECT_FALSE(at::equal(seen, Alone(7.5, {Input(plus_)})));
}

// As a low-rank adapter for some of the steps leaves it.
TEST_F(IpAdapterTest, PicturesAreSeenInEveryStep) {
  const auto later = std::make_shared<Prepared>(Prepared{.rows = 2});
  const auto prepared = std::make_shared<Prepared>(
      Prepared{.rows = 2, .later = {{.first_step = 1, .prepared = later}}});
  const PreparedRef seeing =
      WithPictures(prepared, {Input(plain_)}, /*order=*/{0});
  for (const int step : {0, 1}) {
    EXPECT_EQ(PreparedAt(seeing, step)->pictures.size(), 2u) << step;
  }
  EXPECT_TRUE(later->pictures.empty()) << "others may hold it";
}

TEST_F(IpAdapterTest, NamesWhatIsMissing) {
  const TestFolder other;
  const std::string alone =
      WriteTinyIpAdapter(other.path(), "plain", /*plus=*/false);
  EXPECT_THAT(IpAdapter::Load(alone, Placement()),
              StatusIs(absl::StatusCode::kNotFound, "image_encoder"));
  EXPECT_THAT(
      IpAdapter::FitAt(TinyModelFolder() +
                       "/unet/diffusion_pytorch_model.safetensors"),
      StatusIs(absl::StatusCode::kUnimplemented, "no layers ip_adapter.N"));
}

}  // namespace
}  // namespace genzo
