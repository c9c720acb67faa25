#include "tools/tool/unpickle_process.h"

#include <filesystem>

#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/tools/tool/torch_archive.h"
#include "worker/weights/safetensors.h"
#include "worker/weights/torch_file/torch_file.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

// The child may not have the address space that AddressSanitizer takes.
bool LeavesRoom() {
#ifdef __SANITIZE_ADDRESS__
  return false;
#else
  return true;
#endif
}

TEST(UnpickleProcessTest, AChildMakesASafetensorsFile) {
  if (!LeavesRoom()) GTEST_SKIP() << "AddressSanitizer needs more than it may";
  const TestFolder folder;
  PickleBuilder tensor;
  tensor.Tensor("0", 2, 0, {2}, {1});
  WriteArchive(folder.path() + "/x.ckpt",
               {{"x/data.pkl", PickleBuilder::Dict("w", tensor)},
                {"x/data/0", FloatBytes({1, 2})}});
  const std::string output = folder.path() + "/x.safetensors";
  ASSERT_THAT(UnpickleInChild(folder.path() + "/x.ckpt", output), IsOk());
  const auto file = SafetensorsFile::Open(output);
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ((*file)->entries().size(), 1u);
}

TEST(UnpickleProcessTest, WhatTheChildSaysIsTold) {
  const TestFolder folder;
  const std::string output = folder.path() + "/x.safetensors";
  PickleBuilder attack;
  attack.Global("os", "system").Text("touch " + folder.path() + "/here");
  attack.Raw("\x85R");
  WriteArchive(folder.path() + "/x.ckpt",
               {{"x/data.pkl", PickleBuilder::Dict("w", attack)}});
  EXPECT_THAT(UnpickleInChild(folder.path() + "/x.ckpt", output),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "names \"os system\", which is neither"));
  EXPECT_FALSE(fs::exists(folder.path() + "/here"));
  EXPECT_FALSE(fs::exists(output));
}

// torch.save wrote this one.
TEST(UnpickleProcessTest, APickleOfTorchsOwnHasItsTensors) {
  if (!LeavesRoom()) GTEST_SKIP() << "AddressSanitizer needs more than it may";
  const TestFolder folder;
  const std::string path = SourcePath("tests/data/embeddings/tiny-style.pt");
  const std::string output = folder.path() + "/x.safetensors";
  ASSERT_THAT(UnpickleInChild(path, output), IsOk());
  const auto written = *SafetensorsFile::Open(output);
  const auto pickled = *TorchFile::Open(path);
  ASSERT_EQ(written->entries().size(), 1u);
  const std::string& name = written->entries().begin()->first;
  EXPECT_EQ(written->entries().begin()->second.shape,
            (std::vector<int64_t>{2, 8}));
  EXPECT_THAT(*written->Read(name), TensorEquals(*pickled->Read(name)));
}

TEST(UnpickleProcessTest, TheReferencePickleHasTheWeightsOfItsTwin) {
  if (!LeavesRoom()) GTEST_SKIP() << "AddressSanitizer needs more than it may";
  const std::string path =
      SourcePath("../shared/reference/models/single-file/sd1-ldm");
  if (!fs::exists(path + ".ckpt")) GTEST_SKIP() << "no reference models";
  const TestFolder folder;
  const std::string output = folder.path() + "/x.safetensors";
  ASSERT_THAT(UnpickleInChild(path + ".ckpt", output), IsOk());
  const auto read = *SafetensorsFile::Open(output);
  const auto twin = *SafetensorsFile::Open(path + ".safetensors");
  for (const auto& [name, entry] : twin->entries()) {
    ASSERT_EQ(read->entries().count(name), 1u) << name;
    EXPECT_THAT(*read->Read(name), TensorEquals(*twin->Read(name))) << name;
  }
}

}  // namespace
}  // namespace genzo
