#include "worker/adapters/lora_adapter.h"

#include <limits>
#include <optional>

#include "ATen/ops/full.h"
#include "ATen/ops/kron.h"
#include "ATen/ops/linalg_vector_norm.h"
#include "ATen/ops/matmul.h"
#include "ATen/ops/rand.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/zeros.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/tiny_lora.h"
#include "worker/nn/layers.h"

namespace genzo {
namespace {

// A network of one matrix [6, 8] and one kernel [4, 3, 3, 3].
class LoraAdapterTest : public ::testing::Test {
 protected:
  LoraAdapterTest() {
    network_->Add("to_q.weight", weight_);
    network_->Add("conv.weight", kernel_);
    targets_.Add("denoiser", network_);
  }

  // The adapters of files, each at its weight, in that order.
  using Files = std::vector<std::pair<const FixedTensors*, double>>;

  EvalContext ContextOf(const Files& files) const {
    auto set = std::make_shared<AdapterSet>();
    for (const auto& [file, weight] : files) {
      const auto adapter = LoraAdapter::Load(*file, targets_, Placement());
      EXPECT_THAT(adapter, IsOk());
      (*adapter)->AddTo(
          "denoiser", [at = weight](const std::string&) { return at; }, *set);
    }
    return EvalContext({{.first_row = 0, .rows = 2, .adapters = set}});
  }

  // The layers with the files' adapters give what merged weights do.
  void ExpectMatrix(const at::Tensor& merged, const Files& files) const {
    const at::Tensor x = at::randn({2, 5, 8});
    const Linear layer(weight_, bias_, "to_q");
    EXPECT_THAT(layer.forward(x, ContextOf(files)),
                TensorNear(Linear(merged, bias_).forward(x), 1e-4));
  }
  void ExpectKernel(const at::Tensor& merged, const Files& files) const {
    const at::Tensor x = at::randn({2, 3, 6, 6});
    Conv2d layer(kernel_, at::Tensor(), {});
    layer.name = "conv";
    EXPECT_THAT(layer.forward(x, ContextOf(files)),
                TensorNear(Conv2d(merged, at::Tensor(), {}).forward(x), 1e-4));
  }
  void ExpectMatrix(const at::Tensor& merged, double weight) const {
    ExpectMatrix(merged, {{&file_, weight}});
  }
  void ExpectKernel(const at::Tensor& merged, double weight) const {
    ExpectKernel(merged, {{&file_, weight}});
  }

  // A DoRA of the kernel in the file, and what it makes of it.
  struct KernelDoRA {
    at::Tensor magnitude;  // [4]
    at::Tensor merged;     // before the factor
    at::Tensor factor;     // [4, 1, 1, 1]
  };
  KernelDoRA AddKernelDoRA() {
    const at::Tensor down = at::randn({2, 3, 3, 3});
    const at::Tensor up = at::randn({4, 2, 1, 1});
    const at::Tensor magnitude = at::rand({4}) + 0.5;
    file_.Add("unet.conv.lora_A.weight", down);
    file_.Add("unet.conv.lora_B.weight", up);
    file_.Add("unet.conv.lora_magnitude_vector", magnitude);
    const at::Tensor merged =
        kernel_ + at::matmul(up.flatten(1), down.flatten(1)).view({4, 3, 3, 3});
    const at::Tensor norms = at::linalg_vector_norm(merged.flatten(1), 2, {1});
    return {magnitude, merged, (magnitude / norms).view({4, 1, 1, 1})};
  }

  c10::InferenceMode inference_;
  const at::Tensor weight_ = at::randn({6, 8});
  const at::Tensor bias_ = at::randn({6});
  const at::Tensor kernel_ = at::randn({4, 3, 3, 3});
  const std::shared_ptr<FixedTensors> network_ =
      std::make_shared<FixedTensors>();
  AdapterTargets targets_;
  FixedTensors file_;
};

TEST_F(LoraAdapterTest, AlphaOverRankScales) {
  const at::Tensor down = at::randn({2, 8}), up = at::randn({6, 2});
  file_.Add("lora_unet_to_q.lora_down.weight", down);
  file_.Add("lora_unet_to_q.lora_up.weight", up);
  file_.Add("lora_unet_to_q.alpha", at::full({}, 1.0));
  ExpectMatrix(weight_ + 0.8 * 0.5 * at::matmul(up, down), 0.8);
}

// As diffusers' save_lora_weights writes it.
TEST_F(LoraAdapterTest, TheHeaderMayTellTheScale) {
  const at::Tensor down = at::randn({4, 8}), up = at::randn({6, 4});
  file_.Add("unet.to_q.lora_A.weight", down);
  file_.Add("unet.to_q.lora_B.weight", up);
  const auto expect = [&](const std::string& account, double scale) {
    file_.SetMetadata("lora_adapter_metadata", account);
    ExpectMatrix(weight_ + scale * at::matmul(up, down), 1);
  };
  expect("no JSON", 1);
  expect(R"({"text_encoder.lora_alpha": 16})", 1);
  expect(R"({"unet.r": 4, "unet.lora_alpha": 16})", 4);
  expect(R"({"unet.lora_alpha": 16, "unet.use_rslora": true})", 8);
  expect(R"({"unet.lora_alpha": 16, "unet.alpha_pattern": {"to_q": 2}})", 0.5);
  file_.Add("unet.to_q.alpha", at::full({}, 2.0));
  expect(R"({"unet.lora_alpha": 16})", 0.5);
}

TEST_F(LoraAdapterTest, KernelsMayBeBetweenTwoMatrices) {
  const at::Tensor down = at::randn({2, 3, 1, 1}),
                   mid = at::randn({2, 2, 3, 3}), up = at::randn({4, 2, 1, 1});
  file_.Add("lora_unet_conv.lora_down.weight", down);
  file_.Add("lora_unet_conv.lora_mid.weight", mid);
  file_.Add("lora_unet_conv.lora_up.weight", up);
  const at::Tensor inner =
      at::matmul(mid.permute({2, 3, 0, 1}), down.flatten(1));  // [3, 3, 2, 3]
  const at::Tensor whole = at::matmul(up.flatten(1), inner);   // [3, 3, 4, 3]
  ExpectKernel(kernel_ + 0.5 * whole.permute({2, 3, 0, 1}), 0.5);
}

TEST_F(LoraAdapterTest, LoHaIsAProductOfProducts) {
  const at::Tensor a = at::randn({6, 2}), b = at::randn({2, 8}),
                   c = at::randn({6, 2}), d = at::randn({2, 8});
  file_.Add("lora_unet_to_q.hada_w1_a", a);
  file_.Add("lora_unet_to_q.hada_w1_b", b);
  file_.Add("lora_unet_to_q.hada_w2_a", c);
  file_.Add("lora_unet_to_q.hada_w2_b", d);
  file_.Add("lora_unet_to_q.alpha", at::full({}, 1.0));
  ExpectMatrix(weight_ + 0.7 * 0.5 * at::matmul(a, b) * at::matmul(c, d), 0.7);
}

TEST_F(LoraAdapterTest, LoKrIsAKroneckerProduct) {
  const at::Tensor first = at::randn({2, 4}), a = at::randn({3, 1}),
                   b = at::randn({1, 2});
  file_.Add("lora_unet_to_q.lokr_w1", first);
  file_.Add("lora_unet_to_q.lokr_w2_a", a);
  file_.Add("lora_unet_to_q.lokr_w2_b", b);
  file_.Add("lora_unet_to_q.alpha", at::full({}, 2.0));
  ExpectMatrix(weight_ + 0.6 * 2 * at::kron(first, at::matmul(a, b)), 0.6);
}

TEST_F(LoraAdapterTest, LoKrHasKernelsBetweenItsFactors) {
  const at::Tensor first = at::randn({2, 3}), core = at::randn({2, 2, 3, 3}),
                   a = at::randn({2, 2}), b = at::randn({2, 1});
  file_.Add("lora_unet_conv.lokr_w1", first);
  file_.Add("lora_unet_conv.lokr_t2", core);
  file_.Add("lora_unet_conv.lokr_w2_a", a);
  file_.Add("lora_unet_conv.lokr_w2_b", b);
  at::Tensor second = at::zeros({2, 1, 3, 3});
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) {
      second += a[i].view({2, 1, 1, 1}) * b[j].view({1, 1, 1, 1}) *
                core[i][j].view({1, 1, 3, 3});
    }
  }
  ExpectKernel(
      kernel_ + 0.5 * at::kron(first.view({2, 3, 1, 1}), second.contiguous()),
      0.5);
}

TEST_F(LoraAdapterTest, DoRAKeepsTheMagnitudeOfEachOutput) {
  const at::Tensor down = at::randn({2, 8}), up = at::randn({6, 2});
  const at::Tensor magnitude = at::rand({6}) + 0.5;
  file_.Add("lora_unet_to_q.lora_down.weight", down);
  file_.Add("lora_unet_to_q.lora_up.weight", up);
  file_.Add("lora_unet_to_q.dora_scale", magnitude.unsqueeze(1));
  const at::Tensor merged = weight_ + 0.9 * at::matmul(up, down);
  ExpectMatrix(
      merged *
          (magnitude / at::linalg_vector_norm(merged, 2, {1})).unsqueeze(1),
      0.9);
}

TEST_F(LoraAdapterTest, KernelsHaveMagnitudesToo) {
  const KernelDoRA dora = AddKernelDoRA();
  ExpectKernel(dora.merged * dora.factor, 1);
  file_.Add("unet.conv.lora_magnitude_vector",
            dora.magnitude.view({1, 4, 1, 1}));
  ExpectKernel(dora.merged * dora.factor, 1);
}

// One adapter of the matrix, DoRA where it has magnitudes.
struct TestedAdapter {
  explicit TestedAdapter(bool dora)
      : down(at::randn({2, 8})),
        up(at::randn({6, 2})),
        magnitude(dora ? at::rand({6}) + 0.5 : at::Tensor()) {
    file.Add("unet.to_q.lora_A.weight", down);
    file.Add("unet.to_q.lora_B.weight", up);
    if (dora) file.Add("unet.to_q.lora_magnitude_vector", magnitude);
  }

  at::Tensor delta(double weight) const {
    return weight * at::matmul(up, down);
  }
  // Of each output: the norm is that of `base` and of this adapter alone.
  at::Tensor factor(const at::Tensor& base, double weight) const {
    const at::Tensor norms =
        at::linalg_vector_norm(base + delta(weight), 2, {1});
    return (magnitude / norms).unsqueeze(1);
  }

  at::Tensor down, up, magnitude;
  FixedTensors file;
};

// As in PEFT's LoraLayer.forward, where each is given the result so far.
TEST_F(LoraAdapterTest, ADoRAMultipliesWhatIsBeforeIt) {
  const TestedAdapter plain(/*dora=*/false), first(true), second(true);
  const at::Tensor after_first =
      first.factor(weight_, 0.7) * (weight_ + first.delta(0.7));
  ExpectMatrix(first.factor(weight_, 0.7) *
                   (weight_ + plain.delta(0.9) + first.delta(0.7)),
               {{&plain.file, 0.9}, {&first.file, 0.7}});
  ExpectMatrix(after_first + plain.delta(0.9),
               {{&first.file, 0.7}, {&plain.file, 0.9}});
  ExpectMatrix(second.factor(weight_, 1.2) * (after_first + second.delta(1.2)),
               {{&first.file, 0.7}, {&second.file, 1.2}});
  ExpectMatrix(second.factor(weight_, 1.2) *
                   (after_first + plain.delta(0.9) + second.delta(1.2)),
               {{&first.file, 0.7}, {&plain.file, 0.9}, {&second.file, 1.2}});
}

TEST_F(LoraAdapterTest, ADoRAMultipliesKernelsBeforeIt) {
  const at::Tensor whole = at::randn({4, 3, 3, 3});
  FixedTensors plain;
  plain.Add("unet.conv.diff", whole);
  const KernelDoRA dora = AddKernelDoRA();
  ExpectKernel((dora.merged + 0.5 * whole) * dora.factor,
               {{&plain, 0.5}, {&file_, 1}});
}

// As PEFT's lora_bias, which diffusers reads.
TEST_F(LoraAdapterTest, ABiasIsAddedTimesTheScale) {
  const at::Tensor down = at::randn({2, 8}), up = at::randn({6, 2}),
                   bias = at::randn({6});
  file_.Add("unet.to_q.lora_A.weight", down);
  file_.Add("unet.to_q.lora_B.weight", up);
  file_.Add("unet.to_q.lora_B.bias", bias);
  file_.Add("unet.to_q.alpha", at::full({}, 1.0));
  const double scale = 0.8 * 0.5;
  const at::Tensor x = at::randn({2, 5, 8});
  const at::Tensor expected =
      Linear(weight_ + scale * at::matmul(up, down), bias_ + scale * bias)
          .forward(x);
  const EvalContext context = ContextOf({{&file_, 0.8}});
  EXPECT_THAT(Linear(weight_, bias_, "to_q").forward(x, context),
              TensorNear(expected, 1e-4));
  const Linear part(weight_.narrow(0, 2, 3), bias_.narrow(0, 2, 3), "to_q",
                    /*first_out=*/2);
  EXPECT_THAT(part.forward(x, context),
              TensorNear(expected.narrow(2, 2, 3), 1e-4));
  const at::Tensor gate = at::randn({2, 5, 6});
  EXPECT_THAT(Linear(weight_, bias_, "to_q").forward_mul(x, gate, context),
              TensorNear(expected * gate, 1e-4));
}

TEST_F(LoraAdapterTest, KernelsHaveABiasToo) {
  const at::Tensor down = at::randn({2, 3, 3, 3}), up = at::randn({4, 2, 1, 1}),
                   bias = at::randn({4});
  file_.Add("unet.conv.lora_A.weight", down);
  file_.Add("unet.conv.lora_B.weight", up);
  file_.Add("unet.conv.lora_B.bias", bias);
  const at::Tensor merged =
      kernel_ +
      0.5 * at::matmul(up.flatten(1), down.flatten(1)).view({4, 3, 3, 3});
  const at::Tensor x = at::randn({2, 3, 6, 6});
  Conv2d layer(kernel_, at::Tensor(), {});
  layer.name = "conv";
  EXPECT_THAT(layer.forward(x, ContextOf({{&file_, 0.5}})),
              TensorNear(Conv2d(merged, 0.5 * bias, {}).forward(x), 1e-4));
}

TEST_F(LoraAdapterTest, ABiasIsOfItsRowsAlone) {
  file_.Add("unet.to_q.lora_A.weight", at::randn({2, 8}));
  file_.Add("unet.to_q.lora_B.weight", at::randn({6, 2}));
  file_.Add("unet.to_q.lora_B.bias", at::randn({6}));
  const auto own = ContextOf({{&file_, 1}}).segments()[0].adapters;
  const EvalContext middle({{.first_row = 1, .rows = 1, .adapters = own}});
  const EvalContext alone({{.first_row = 0, .rows = 1, .adapters = own}});
  const Linear layer(weight_, bias_, "to_q");
  const at::Tensor x = at::randn({3, 5, 8});
  const at::Tensor y = layer.forward(x, middle);
  for (const int64_t row : {0, 1, 2}) {
    EXPECT_THAT(y.narrow(0, row, 1),
                TensorEquals(layer.forward(x.narrow(0, row, 1),
                                           row == 1 ? alone : NoAdapters())));
  }
}

TEST_F(LoraAdapterTest, ADoRAMultipliesABiasBeforeIt) {
  TestedAdapter biased(/*dora=*/false);
  const TestedAdapter dora(/*dora=*/true);
  const at::Tensor bias = at::randn({6});
  biased.file.Add("unet.to_q.lora_B.bias", bias);
  const at::Tensor factor = dora.factor(weight_, 0.7);
  const at::Tensor x = at::randn({2, 5, 8});
  EXPECT_THAT(
      Linear(weight_, bias_, "to_q")
          .forward(x, ContextOf({{&biased.file, 0.9}, {&dora.file, 0.7}})),
      TensorNear(
          Linear(factor * (weight_ + biased.delta(0.9) + dora.delta(0.7)),
                 bias_ + factor.flatten() * 0.9 * bias)
              .forward(x),
          1e-4));
}

TEST_F(LoraAdapterTest, ABiasIsNotLeftOutSilently) {
  TestedAdapter dora(/*dora=*/true), odd(/*dora=*/false);
  dora.file.Add("unet.to_q.lora_B.bias", at::randn({6}));
  EXPECT_THAT(LoraAdapter::Check(dora.file, targets_),
              StatusIs(absl::StatusCode::kUnimplemented, "it has a bias"));
  odd.file.Add("unet.to_q.lora_B.bias", at::randn({7}));
  EXPECT_THAT(LoraAdapter::Check(odd.file, targets_),
              StatusIs(kInvalid, "unet.to_q.lora_B.bias"));
}

TEST_F(LoraAdapterTest, WhatDoesNotFitIsNamed) {
  const auto check = [&](const std::string& down_name, at::IntArrayRef down,
                         at::IntArrayRef up) {
    FixedTensors file;
    file.Add(down_name + ".lora_down.weight", at::zeros(down));
    file.Add(down_name + ".lora_up.weight", at::zeros(up));
    return LoraAdapter::Check(file, targets_);
  };
  EXPECT_THAT(check("lora_unet_to_q", {2, 8}, {6, 2}), IsOk());
  EXPECT_THAT(check("lora_unet_to_q", {2, 9}, {6, 2}),
              StatusIs(kInvalid, "lora_unet_to_q.lora_down.weight"));
  EXPECT_THAT(check("lora_unet_to_q", {2, 8}, {7, 2}),
              StatusIs(kInvalid, "is [7, 2], not [6, 2]"));
  EXPECT_THAT(check("lora_unet_to_q", {5000, 8}, {6, 5000}),
              StatusIs(kInvalid, "rank 5000, which is not between 1 and 4096"));
  EXPECT_THAT(check("lora_unet_to_k", {2, 8}, {6, 2}),
              StatusIs(kInvalid, "a layer that this model does not have"));
  EXPECT_THAT(check("lora_te2_x", {2, 8}, {6, 2}),
              StatusIs(kInvalid, "nothing for this model"));
  FixedTensors none;
  none.Add("to_q.weight", at::zeros({6, 8}));
  EXPECT_THAT(LoraAdapter::Check(none, targets_),
              StatusIs(kInvalid, "is no adapter"));
  for (const char* oft : {"lora_unet_to_q.oft_blocks", "to_q.oft_R.weight"}) {
    FixedTensors turned;
    turned.Add(oft, at::zeros({2, 4, 4}));
    turned.Add("lora_unet_to_q.alpha", at::full({}, 1.0));
    EXPECT_THAT(LoraAdapter::Check(turned, targets_),
                StatusIs(absl::StatusCode::kUnimplemented, oft));
  }
  FixedTensors half;
  half.Add("lora_unet_to_q.lora_down.weight", at::zeros({2, 8}));
  EXPECT_THAT(LoraAdapter::Check(half, targets_),
              StatusIs(absl::StatusCode::kUnimplemented, "no pair"));
}

TEST_F(LoraAdapterTest, ValuesThatAreNoNumbersAreRefused) {
  const TestFolder folder;
  file_.Add("lora_unet_to_q.lora_down.weight", at::randn({2, 8}));
  at::Tensor up = at::randn({6, 2});
  up[1][1].fill_(std::numeric_limits<float>::quiet_NaN());
  file_.Add("lora_unet_to_q.lora_up.weight", up);
  const auto file = SafetensorsFile::Open(WriteLora(folder, "bad", file_));
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(LoraAdapter::Check(**file, targets_), IsOk());
  EXPECT_THAT(LoraAdapter::Load(**file, targets_, Placement()).status(),
              StatusIs(kInvalid, "lora_unet_to_q.lora_up.weight"));
}

TEST_F(LoraAdapterTest, ValuesThatNoNetworkBearsAreRefused) {
  const auto load = [&](double down, double up, at::ScalarType dtype,
                        const std::optional<double>& alpha = std::nullopt) {
    FixedTensors file;
    file.Add("lora_unet_to_q.lora_down.weight", at::full({2, 8}, down));
    file.Add("lora_unet_to_q.lora_up.weight", at::full({6, 2}, up));
    if (alpha) file.Add("lora_unet_to_q.alpha", at::full({}, *alpha));
    return LoraAdapter::Load(file, targets_,
                             Placement(at::Device(at::kCPU), dtype))
        .status();
  };
  // 2 * 20 * 20 is what is added at most, to every weight.
  EXPECT_THAT(load(20, 20, at::kFloat), IsOk());
  EXPECT_THAT(load(-20, 20, at::kFloat, 4.0),
              StatusIs(kInvalid,
                       "test: layer \"to_q\" of the denoiser: "
                       "\"lora_unet_to_q\" may add to a weight 1600, the "
                       "limit is 1000"));
  EXPECT_THAT(load(1, 1, at::kFloat, -1e30),
              StatusIs(kInvalid, "may add to a weight 1e+30"));
  // It adds little, but cannot be computed on the way.
  EXPECT_THAT(load(300, 0.001, at::kFloat), IsOk());
  EXPECT_THAT(load(300, 0.001, at::kBFloat16), IsOk());
  EXPECT_THAT(load(300, 0.001, at::kHalf),
              StatusIs(kInvalid,
                       "has a value of 300, the limit is 255 of "
                       "Half"));
  EXPECT_THAT(load(1e30, 1e-30, at::kFloat),
              StatusIs(kInvalid,
                       "has a value of 1e+30, the limit is 1.84467e"
                       "+19 of Float"));
  EXPECT_THAT(load(1e30, 1e-30, at::kBFloat16),
              StatusIs(kInvalid, "of BFloat16"));
}

// Finite themselves, their products are not.
TEST_F(LoraAdapterTest, KindsOfEveryShapeAreJudgedByWhatTheyAdd) {
  const auto expect =
      [&](const std::string& text,
          const std::vector<std::pair<const char*, at::Tensor>>& tensors) {
        FixedTensors file;
        for (const auto& [name, tensor] : tensors) file.Add(name, tensor);
        EXPECT_THAT(LoraAdapter::Load(file, targets_, Placement()).status(),
                    StatusIs(kInvalid, text));
      };
  expect("\"lora_unet_to_q\" may add to a weight 2000",
         {{"lora_unet_to_q.diff", at::full({6, 8}, -2000.0)}});
  expect("\"lora_unet_to_q\" has a value of inf",
         {{"lora_unet_to_q.hada_w1_a", at::full({6, 2}, 1e20)},
          {"lora_unet_to_q.hada_w1_b", at::full({2, 8}, 1e20)},
          {"lora_unet_to_q.hada_w2_a", at::full({6, 2}, 1.0)},
          {"lora_unet_to_q.hada_w2_b", at::full({2, 8}, 1.0)}});
  expect("\"lora_unet_to_q\" has a value of inf",
         {{"lora_unet_to_q.lokr_w1", at::full({2, 2}, 1e30)},
          {"lora_unet_to_q.lokr_w2", at::full({3, 4}, 1e30)}});
  const at::Tensor down = at::zeros({2, 8}), up = at::zeros({6, 2});
  expect("adds to an output 1e+06",
         {{"unet.to_q.lora_A.weight", down},
          {"unet.to_q.lora_B.weight", up},
          {"unet.to_q.lora_B.bias", at::full({6}, 1e6)}});
  expect("gives weights a norm of 1e+06",
         {{"unet.to_q.lora_A.weight", down},
          {"unet.to_q.lora_B.weight", up},
          {"unet.to_q.lora_magnitude_vector", at::full({6}, 1e6)}});
}

// Norms of what is left are rounding alone.
TEST_F(LoraAdapterTest, ADoRAThatTakesRowsAwayGivesNumbers) {
  file_.Add("unet.to_q.diff", -weight_);
  file_.Add("unet.to_q.lora_magnitude_vector", at::full({6}, 1.0));
  const Linear layer(weight_, bias_, "to_q");
  const at::Tensor x = at::randn({2, 5, 8});
  EXPECT_THAT(layer.forward(x, ContextOf({{&file_, 1}})),
              TensorNear(bias_.expand({2, 5, 6}), 1e-4));
  ExpectMatrix(weight_ / at::linalg_vector_norm(weight_, 2, {1}).unsqueeze(1),
               0.5);
}

TEST_F(LoraAdapterTest, NoRowSpreadsWhatIsNoNumber) {
  file_.Add("lora_unet_to_q.lora_down.weight", at::randn({2, 8}));
  file_.Add("lora_unet_to_q.lora_up.weight", at::randn({6, 2}));
  // A request's own, which no file may bring.
  const auto broken =
      ContextOf({{&file_, std::numeric_limits<double>::infinity()}});
  const auto own = ContextOf({{&file_, 0.5}}).segments()[0].adapters;
  const EvalContext mixed(
      {{.first_row = 0, .rows = 1, .adapters = own},
       {.first_row = 1, .rows = 1, .adapters = broken.segments()[0].adapters}});
  const Linear layer(weight_, bias_, "to_q");
  const at::Tensor x = at::randn({3, 5, 8});
  const at::Tensor y = layer.forward(x, mixed);
  EXPECT_FALSE(y[1].isfinite().all().item<bool>());
  const EvalContext alone({{.first_row = 0, .rows = 1, .adapters = own}});
  EXPECT_THAT(y.narrow(0, 0, 1),
              TensorEquals(layer.forward(x.narrow(0, 0, 1), alone)));
  EXPECT_THAT(y.narrow(0, 2, 1),
              TensorEquals(layer.forward(x.narrow(0, 2, 1), NoAdapters())));
}

TEST_F(LoraAdapterTest, ItsLayersAreKnownFromNames) {
  EXPECT_EQ(LoraAdapter::LayersOf(file_, targets_), LoraLayers());
  file_.Add("lora_unet_to_q.lora_down.weight", at::zeros({2, 8}));
  file_.Add("lora_unet_to_q.lora_up.weight", at::zeros({6, 2}));
  file_.Add("unet.conv.diff", at::zeros({4, 3, 3, 3}));
  LoraLayers expected = {.denoiser = {"conv", "to_q"}};
  EXPECT_EQ(LoraAdapter::LayersOf(file_, targets_), expected);
  targets_.Add("text_encoder", network_);
  file_.Add("lora_te_to_q.diff", at::zeros({6, 8}));
  expected.text_encoders = true;
  EXPECT_EQ(LoraAdapter::LayersOf(file_, targets_), expected);
  file_.Add("lora_unet_to_k.diff", at::zeros({6, 8}));  // of another model
  EXPECT_EQ(LoraAdapter::LayersOf(file_, targets_), LoraLayers());
}

TEST_F(LoraAdapterTest, SizesAreKnownBeforeItIsRead) {
  const at::Tensor down = at::randn({2, 8}), up = at::randn({6, 2});
  file_.Add("lora_unet_to_q.lora_down.weight", down);
  file_.Add("lora_unet_to_q.lora_up.weight", up);
  file_.Add("lora_unet_to_q.lora_up.bias", at::randn({6}));
  const auto adapter = LoraAdapter::Load(file_, targets_, Placement());
  ASSERT_THAT(adapter, IsOk());
  EXPECT_EQ((*adapter)->bytes(), (16 + 12 + 6) * 4);
  EXPECT_EQ(LoraAdapter::BytesOf(file_, targets_, Placement()),
            (*adapter)->bytes());
}

}  // namespace
}  // namespace genzo
