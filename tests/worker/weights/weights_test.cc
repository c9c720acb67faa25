#include "worker/weights/weights.h"

#include <filesystem>
#include <limits>

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/weights/tensor_files.h"
#include "worker/weights/component_folder.h"
#include "worker/weights/safetensors.h"

namespace genzo {
namespace {

Weights TinyVae() {
  return *OpenWeights(TinyModelFolder() + "/vae", at::kFloat, at::kCPU);
}

TEST(WeightsTest, FindsTensorsByPath) {
  const Weights weights = TinyVae();
  const Weights conv = weights["decoder"]["conv_in"];
  EXPECT_TRUE(conv.Has("weight"));
  EXPECT_FALSE(conv.Has("nothing"));
  EXPECT_EQ(conv.Get("bias", {16}).sizes(), at::IntArrayRef({16}));
  EXPECT_EQ(weights.taken_bytes(), 16 * 4);
}

TEST(WeightsTest, CastsAndCopies) {
  const Weights weights =
      *OpenWeights(TinyModelFolder() + "/vae", at::kBFloat16, at::kCPU);
  EXPECT_EQ(weights["decoder"]["conv_in"].Get("bias", {16}).scalar_type(),
            at::kBFloat16);
}

TEST(WeightsTest, KeepsTheFirstFault) {
  const Weights weights = TinyVae();
  weights["decoder"]["conv_in"].Get("bias", {17});
  weights["decoder"].Get("nonsense", {1});
  EXPECT_THAT(weights.Finish(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "tensor \"decoder.conv_in.bias\" has shape [16], the "
                       "configuration needs [17]"));
}

TEST(WeightsTest, NamesMissingTensors) {
  const Weights weights = TinyVae();
  weights.At("decoder", 3).Get("nonsense", {1});
  EXPECT_THAT(weights.Finish(), StatusIs(absl::StatusCode::kNotFound,
                                         "\"decoder.3.nonsense\" is missing"));
}

// Of a file whose data are not even there.
TEST(WeightsTest, ALookAtTheEntriesReadsNothingAndFindsEveryFault) {
  const TestFolder folder;
  const std::string path =
      folder.Write("x", FloatFile({{"a", {1}}, {"b", {1, 2}}}));
  const auto file = *SafetensorsFile::Open(path);
  std::filesystem::resize_file(path, 8);
  const Weights weights = Weights::OfEntries(file);
  EXPECT_EQ(weights.Get("a", {1}).numel(), 0);
  weights["deep"].Get("c", {1});
  weights.GetFloat("b", {3});
  EXPECT_THAT(weights.faults(),
              ::testing::ElementsAre(
                  "tensor \"deep.c\" is missing",
                  "tensor \"b\" has shape [2], the configuration needs [3]"));
  EXPECT_EQ(weights.taken_bytes(), 0);
  EXPECT_THAT(weights.Finish(), StatusIs(absl::StatusCode::kNotFound,
                                         "tensor \"deep.c\" is missing"));
}

TEST(WeightsTest, NamesWhatNobodyAskedFor) {
  const TestFolder folder;
  const Weights weights = Weights::OfEntries(*SafetensorsFile::Open(
      folder.Write("x", FloatFile({{"a", {1}}, {"b", {1}}, {"c.d", {1}}}))));
  weights.Get("a", {1});
  EXPECT_THAT(weights.Surplus(), ::testing::ElementsAre("b", "c.d"));
  EXPECT_THAT(weights.Surplus({"c."}), ::testing::ElementsAre("b"));
  EXPECT_THAT(weights.Finish({"c."}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "tensor \"b\" has no place"));
  EXPECT_THAT(weights.Finish({"b", "c."}), IsOk());
}

TEST(WeightsTest, NamesTensorsThatNobodyTook) {
  EXPECT_THAT(TinyVae().Finish(),
              StatusIs(absl::StatusCode::kInvalidArgument, "has no place"));
}

// Weights of one file.
Weights Of(const TestFolder& folder, const std::string& file,
           at::ScalarType dtype = at::kFloat) {
  return Weights(*SafetensorsFile::Open(folder.Write("x", file)), dtype,
                 at::kCPU);
}

TEST(WeightsTest, RefusesWhatIsNotFinite) {
  for (const float value : {std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
      const TestFolder folder;
      const Weights weights = Of(folder, FloatFile({{"a", {1, value}}}), dtype);
      weights.Get("a", {2});
      EXPECT_THAT(weights.Finish(), StatusIs(absl::StatusCode::kInvalidArgument,
                                             "/x: infinity or NaN as"));
    }
  }
}

TEST(WeightsTest, RefusesWhatIsTooLargeForItsType) {
  const TestFolder folder;
  const std::string file = FloatFile({{"a", {1, 65520}}});
  const Weights half = Of(folder, file, at::kHalf);
  half.Get("a", {2});
  EXPECT_THAT(half.Finish(), StatusIs(absl::StatusCode::kInvalidArgument,
                                      "infinity or NaN as Half: tensor \"a\""));
  const Weights full = Of(folder, file);
  full.Get("a", {2});
  EXPECT_THAT(full.Finish(), IsOk());
}

TEST(WeightsTest, AFileThatShrinksWhileItIsReadIsAFault) {
  const TestFolder folder;
  const Weights weights =
      Of(folder, FloatFile({{"a", {1}}, {"b", std::vector<float>(5000)}}));
  std::filesystem::resize_file(folder.path() + "/x", 8192);
  weights.Get("a", {1});
  weights.Get("b", {5000});
  EXPECT_THAT(weights.Finish(),
              StatusIs(absl::StatusCode::kDataLoss, "/x: ends at byte 8192"));
}

TEST(WeightsTest, RenamesTheWholeTree) {
  const TestFolder folder;
  const Weights weights = Of(folder, FloatFile({{"mid.query.weight", {1}}}));
  weights["mid"].Rename({{"mid.query.weight", "mid.to_q.weight"}});
  EXPECT_EQ(weights["mid"]["to_q"].Get("weight", {1}).item<float>(), 1);
  EXPECT_THAT(weights.Finish(), IsOk());
}

TEST(WeightsTest, TwoTensorsOfOneNameAreAFault) {
  const TestFolder folder;
  const Weights weights = Of(folder, FloatFile({{"a", {1}}, {"b", {1}}}));
  weights.Rename({{"a", "b"}});
  EXPECT_THAT(weights.Finish(),
              StatusIs(absl::StatusCode::kInvalidArgument, "are both \"b\""));
}

TEST(WeightsTest, IntegersAreNoWeights) {
  const TestFolder folder;
  const Weights weights =
      Of(folder,
         TensorFile(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                    1));
  weights.Get("a", {1});
  EXPECT_THAT(weights.Finish(), StatusIs(absl::StatusCode::kInvalidArgument,
                                         "not of a floating point type"));
}

TEST(WeightsTest, LeavesOutASubtree) {
  const TestFolder folder;
  const Weights weights = Of(folder, FloatFile({{"a.x", {1}}, {"b.x", {1}}}));
  weights["a"].LeaveOut();
  EXPECT_THAT(weights.Finish({"b.x"}), IsOk());
  EXPECT_EQ(weights.taken_bytes(), 0);
}

}  // namespace
}  // namespace genzo
