// Whether CUDA's compiler takes our kernels. It needs no GPU, but comes only
// with LibTorch's CUDA libraries: elsewhere these tests are skipped.

#include "worker/cuda/nvrtc.h"

#include "c10/util/Exception.h"
#include "gmock/gmock.h"
#include "worker/cuda/group_norm_source.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;

class NvrtcTest : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      CompileCuda("", "80", {});
    } catch (const c10::Error& e) {
      const std::string message = e.what_without_backtrace();
      if (message.find("compiler is missing") == std::string::npos) throw;
      GTEST_SKIP() << message;
    }
  }
};

TEST_F(NvrtcTest, TakesOurKernelsForEveryKindOfDevice) {
  for (const char* architecture :
       {"75", "80", "86", "89", "90", "100", "120"}) {
    for (const char* element : {"float", "Bfloat16", "Half"}) {
      for (const char* vector : {"1", "4", "8"}) {
        const std::string cubin =
            CompileCuda(kGroupNormSource, architecture,
                        {std::string("GENZO_ELEMENT=") + element,
                         std::string("GENZO_VECTOR=") + vector});
        for (const char* entry :
             {"ChunkMoments", "JoinMoments", "ApplyAffine"}) {
          EXPECT_THAT(cubin, HasSubstr(std::string(".text.") + entry));
        }
      }
    }
  }
}

TEST_F(NvrtcTest, TellsWhatTheCompilerSays) {
  try {
    CompileCuda("__global__ void Wrong() { return 1; }", "80", {});
    FAIL() << "it compiled";
  } catch (const c10::Error& e) {
    EXPECT_THAT(e.what_without_backtrace(), HasSubstr("return value type"));
  }
}

}  // namespace
}  // namespace genzo
