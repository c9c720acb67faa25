// What only a GPU can show. Skipped where there is none.

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <optional>

#include "ATen/TensorOperators.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/from_blob.h"
#include "ATen/ops/group_norm.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/silu.h"
#include "absl/strings/match.h"
#include "c10/core/CachingDeviceAllocator.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/device/device_health.h"
#include "worker/device/device_names.h"
#include "worker/device/device_stream.h"
#include "worker/device/free_memory.h"
#include "worker/kernels/cuda_backend.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {
namespace {

class CudaDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string why_not(ResolveDevices({"cuda"}).status().message());
    // Whatever else is missing on a machine with a GPU is a fault.
    if (absl::StrContains(why_not, "no CUDA driver") ||
        !std::filesystem::exists("/dev/nvidia0")) {
      GTEST_SKIP() << why_not;
    }
    ASSERT_EQ(why_not, "");
    ASSERT_TRUE(OpenCudaBackend().ok()) << OpenCudaBackend().status();
    cuda_ = *OpenCudaBackend();
    // As a step thread has it.
    on_stream_.emplace(DeviceStream(device_, StreamPriority::kHigh));
  }

  std::unique_ptr<const Pipeline> Load(const c10::Device& device) const {
    return *LoadPipeline(TinyModelFolder(),
                         {.device = device, .dtype = at::kFloat});
  }

  c10::InferenceMode inference_;
  const c10::Device device_{c10::kCUDA, 0};
  CudaBackend* cuda_ = nullptr;
  std::optional<DeviceStream::Scope> on_stream_;
};

TEST_F(CudaDeviceTest, GroupNormEqualsItsDefinitionRowByRow) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const auto floats = at::TensorOptions(device_);
    const at::Tensor x = (at::randn({3, 320, 40, 24}, floats) + 20)
                             .to(dtype)
                             .contiguous(at::MemoryFormat::ChannelsLast);
    ASSERT_TRUE(cuda_->CanGroupNorm(x));
    const at::Tensor shift = at::randn({3, 320}, floats);
    const at::Tensor weight = at::randn({320}, floats);
    const at::Tensor bias = at::randn({320}, floats);
    const at::Tensor expected = at::silu(at::group_norm(
        x.to(at::kDouble) + shift.to(at::kDouble).view({3, 320, 1, 1}), 32,
        weight.to(at::kDouble), bias.to(at::kDouble), 1e-5));
    const auto norm = [&](int64_t first, int64_t rows) {
      return cuda_->GroupNorm(x.narrow(0, first, rows),
                              shift.narrow(0, first, rows), weight, bias,
                              {.groups = 32, .eps = 1e-5, .silu = true});
    };
    const at::Tensor actual = norm(0, 3);
    EXPECT_THAT(actual.to(at::kDouble),
                TensorNear(expected, dtype == at::kFloat ? 2e-5 : 1e-2));
    for (int64_t row = 0; row < 3; ++row) {
      EXPECT_THAT(norm(row, 1), TensorEquals(actual.narrow(0, row, 1)));
    }
  }
}

TEST_F(CudaDeviceTest, RecordingsDoTheirWorkAgain) {
  const at::Tensor x = at::randn({64}, at::TensorOptions(device_));
  at::Tensor y;
  const auto work = [&] { y = x * 2 + 1; };
  work();
  const auto recorder = cuda_->NewRecorder(device_);
  const auto recording = recorder->Record(work);
  for (int i = 0; i < 3; ++i) {
    x.copy_(at::randn({64}));
    recording->Replay();
    EXPECT_THAT(y.cpu(), TensorEquals((x * 2 + 1).cpu()));
  }
}

TEST_F(CudaDeviceTest, WorkThatCannotBeRecordedLeavesTheDeviceUsable) {
  const at::Tensor x = at::randn({64}, at::TensorOptions(device_));
  const auto recorder = cuda_->NewRecorder(device_);
  // It waits for the device, which a recording cannot.
  EXPECT_ANY_THROW(recorder->Record([&] { x.sum().item<float>(); }));
  EXPECT_THAT((x + x).cpu(), TensorEquals((2 * x).cpu()));
  at::Tensor y;
  const auto recording = recorder->Record([&] { y = x + 1; });
  recording->Replay();
  EXPECT_THAT(y.cpu(), TensorEquals((x + 1).cpu()));
}

TEST_F(CudaDeviceTest, ARecordingThatDoesNotFitLeavesTheDeviceUsable) {
  const auto floats = at::TensorOptions(device_);
  const auto recorder = cuda_->NewRecorder(device_);
  at::Tensor y;
  EXPECT_THROW(
      recorder->Record([&] { y = at::empty({int64_t{1} << 40}, floats); }),
      c10::OutOfMemoryError);
  recorder->Reset();
  const at::Tensor x = at::randn({64}, floats);
  const auto recording = recorder->Record([&] { y = x + 1; });
  recording->Replay();
  EXPECT_THAT(y.cpu(), TensorEquals((x + 1).cpu()));
}

// What models are served with: other kernels than float32 takes.
TEST_F(CudaDeviceTest, ReplaysInBfloat16AreNearTheFirstEvaluation) {
  const auto model = LoadPipeline(SourcePath("models/emaki"),
                                  {.device = device_, .dtype = at::kBFloat16});
  ASSERT_TRUE(model.ok()) << model.status();
  const Prepared prepared = RepeatFirstRow(*(*model)->PrepareEmpty(), 2);
  const at::Tensor sample =
      at::randn({2, (*model)->codec().latent_channels(), 16, 16});
  const auto predict = [&] {
    return Predict((*model)->denoiser(), sample, {500.0f, 500.0f}, prepared);
  };
  const at::Tensor first = predict();
  predict();
  EXPECT_EQ((*model)->denoiser().recordings(), 1);
  EXPECT_THAT(predict(), TensorNear(first, 2e-2));
}

// Evaluations of a kind are first done, then recorded, then replayed.
TEST_F(CudaDeviceTest, AModelPredictsAndDecodesAsOnTheCpu) {
  const auto on_cpu = Load(c10::kCPU);
  const auto on_device = Load(device_);
  for (int round = 0; round < 4; ++round) {
    for (const int64_t rows : {2, 5, 6}) {
      const at::Tensor sample = at::randn({rows, 4, 8, 8});
      const std::vector<float> timesteps(rows, 900.0f - 100 * round);
      const auto predict = [&](const Pipeline& model) {
        v1::GenerateRequest request;
        request.set_prompt(round % 2 == 0 ? "a" : "b c");
        TextCache texts(1 << 20);
        const auto encoded =
            model.Encode({{.request = request}}, /*together=*/true, texts);
        return Predict(
            model.denoiser(), sample, timesteps,
            RepeatFirstRow(*encoded[0]->prepared[0], static_cast<int>(rows)));
      };
      EXPECT_THAT(predict(*on_device), TensorNear(predict(*on_cpu), 1e-4));
    }
  }
  EXPECT_EQ(on_device->denoiser().recordings(), 2);  // of 2 rows and of 6
  const at::Tensor latent = at::randn({1, 4, 8, 8});
  EXPECT_THAT(on_device->codec().Decode(latent),
              TensorNear(on_cpu->codec().Decode(latent), 1e-4));
}

TEST_F(CudaDeviceTest, AModelThatLeavesGivesItsMemoryBack) {
  const auto reserved = [&] {
    ReturnFreeMemory(device_);
    const auto stats =
        c10::getDeviceAllocator(c10::kCUDA)->getDeviceStats(device_.index());
    return stats.reserved_bytes[0].current;
  };
  const auto use = [&] {
    const auto model = Load(device_);
    const PreparedRef prepared = model->PrepareEmpty();
    for (int i = 0; i < 3; ++i) {
      Predict(model->denoiser(), at::randn({1, 4, 8, 8}), {500.0f}, *prepared);
    }
    EXPECT_EQ(model->denoiser().recordings(), 1);
  };
  use();
  const int64_t before = reserved();
  for (int i = 0; i < 10; ++i) use();
  EXPECT_LE(reserved(), before);
}

// CUDA's faults that last poison a process, so a process of its own has one.
class CudaStickyErrorTest : public CudaDeviceTest {
 protected:
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    CudaDeviceTest::SetUp();
  }

  // Reads where no memory is, and ends with 0 if what follows is as it should.
  [[noreturn]] void ReadNowhere() const {
    void* const nowhere = reinterpret_cast<void*>(uintptr_t{1} << 20);
    try {
      at::from_blob(
          nowhere, {1 << 20}, [](void*) {}, at::TensorOptions(device_), device_)
          .sum()
          .item<float>();
      std::_Exit(2);
    } catch (const std::exception&) {
    }
    const absl::Time now = absl::UnixEpoch();
    DeviceHealth health;
    health.Evaluated(absl::InternalError("an evaluation"), now);
    if (!health.usable()) std::_Exit(3);
    health.Probed(ProbeDevice(device_), now);
    std::_Exit(health.usable() ? 4 : 0);
  }
};

TEST_F(CudaStickyErrorTest, TakesTheDeviceOut) {
  EXPECT_EXIT(ReadNowhere(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace genzo
