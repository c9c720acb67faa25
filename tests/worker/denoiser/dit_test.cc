#include "worker/denoiser/dit.h"

#include <map>

#include "ATen/ops/tensor.h"
#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/denoiser/transformer_test.h"
#include "worker/weights/weights.h"

namespace genzo {
namespace {

constexpr int64_t kWidth = 16;
constexpr int64_t kClasses = 3;

// A network's tensors without a file, random.
class RandomTensors : public TensorSource {
 public:
  void Add(const std::string& name, const std::vector<int64_t>& shape) {
    const at::Tensor tensor = at::randn(shape) * 0.3;
    tensors_[name] = tensor;
    entries_[name] = {.dtype = at::kFloat,
                      .shape = shape,
                      .begin_bytes = 0,
                      .size_bytes = tensor.nbytes()};
  }
  void AddLayer(const std::string& name, int64_t in, int64_t out) {
    Add(name + ".weight", {out, in});
    Add(name + ".bias", {out});
  }

  const std::map<std::string, TensorEntry>& entries() const override {
    return entries_;
  }
  absl::StatusOr<at::Tensor> Read(const std::string& name,
                                  const ReadOptions&) const override {
    return tensors_.at(name);
  }
  const std::string& path() const override { return path_; }

 private:
  const std::string path_ = "random";
  std::map<std::string, TensorEntry> entries_;
  std::map<std::string, at::Tensor> tensors_;
};

std::shared_ptr<const TensorSource> TinyDit(int64_t layers) {
  auto tensors = std::make_shared<RandomTensors>();
  tensors->Add("pos_embed.proj.weight", {kWidth, 4, 2, 2});
  tensors->Add("pos_embed.proj.bias", {kWidth});
  for (int64_t i = 0; i < layers; ++i) {
    const std::string block = absl::StrCat("transformer_blocks.", i, ".");
    const auto add = [&](const char* name, int64_t in, int64_t out) {
      tensors->AddLayer(block + name, in, out);
    };
    add("norm1.emb.timestep_embedder.linear_1", 256, kWidth);
    add("norm1.emb.timestep_embedder.linear_2", kWidth, kWidth);
    tensors->Add(block + "norm1.emb.class_embedder.embedding_table.weight",
                 {kClasses + 1, kWidth});
    add("norm1.linear", kWidth, 6 * kWidth);
    for (const char* name :
         {"attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0"}) {
      add(name, kWidth, kWidth);
    }
    add("ff.net.0.proj", kWidth, 4 * kWidth);
    add("ff.net.2", 4 * kWidth, kWidth);
  }
  tensors->AddLayer("proj_out_1", kWidth, 2 * kWidth);
  tensors->AddLayer("proj_out_2", kWidth, 4 * 8);
  return tensors;
}

class DitTest : public ::testing::Test {
 protected:
  DitTest()
      : config_({.in_channels = 4,
                 .out_channels = 8,
                 .sample_size = 8,
                 .num_layers = 2,
                 .classes = kClasses,
                 .heads = {.width = kWidth, .heads = 2, .head_dim = 8}}),
        source_(TinyDit(config_.num_layers)),
        weights_(source_, at::kFloat, at::kCPU),
        network_(config_, weights_) {}

  static Conditioning Classes(const std::vector<double>& classes) {
    return {.numbers = at::tensor(classes, at::kFloat).unsqueeze(1)};
  }

  c10::InferenceMode inference_;
  const DitConfig config_;
  const std::shared_ptr<const TensorSource> source_;
  const Weights weights_;
  const Dit network_;
};

TEST_F(DitTest, TakesEveryTensor) { EXPECT_THAT(weights_.Finish(), IsOk()); }

TEST_F(DitTest, RowsAreOnTheirOwn) {
  ExpectRowsOnTheirOwn(network_, *source_, at::randn({4, 4, 6, 8}),
                       Classes({0, 2, 1, 3}));
}

TEST_F(DitTest, KnowsTheClassThatIsNoneAndNoFurther) {
  EXPECT_THAT(network_.Prepare(Classes({kClasses})), IsOk());
  for (const double none : {kClasses + 1.0, -1.0}) {
    EXPECT_THAT(network_.Prepare(Classes({none})),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         "a class is not between 0 and 3"));
  }
}

TEST(DitConfigTest, NamesBadValues) {
  const TestFolder folder;
  EXPECT_THAT(ReadDitConfig(folder.Write("a", R"({"norm_type":"layer_norm"})")),
              StatusIs(absl::StatusCode::kUnimplemented, "norm_type"));
  EXPECT_THAT(
      ReadDitConfig(folder.Write("b", R"({"in_channels":4,"out_channels":12,
                       "norm_type":"ada_norm_zero"})")),
      StatusIs(absl::StatusCode::kInvalidArgument, "out_channels 12"));
}

}  // namespace
}  // namespace genzo
