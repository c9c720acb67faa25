#include "worker/weights/torch_file/torch_file.h"

#include <filesystem>
#include <random>

#include "ATen/ops/tensor.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/tools/tool/torch_archive.h"

namespace genzo {
namespace {

class TorchFileTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::shared_ptr<const TensorSource>> Open(
      const std::map<std::string, std::string>& entries) const {
    WriteArchive(path_, entries);
    return TorchFile::Open(path_);
  }
  // A matrix of 6 values of which every other is taken, column by column.
  static std::map<std::string, std::string> Entries() {
    PickleBuilder tensor;
    tensor.Tensor("0", 6, 0, {2, 3}, {1, 2});
    return {{"x/data.pkl", PickleBuilder::Dict("w", tensor)},
            {"x/data/0", FloatBytes({1, 2, 3, 4, 5, 6})}};
  }

  const TestFolder folder_;
  const std::string path_ = folder_.path() + "/x.ckpt";
};

TEST_F(TorchFileTest, ReadsTensorsOfAnyStrides) {
  const auto file = Open(Entries());
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ((*file)->entries().at("w").size_bytes, 24u);
  EXPECT_THAT(
      *(*file)->Read("w"),
      TensorEquals(at::tensor({1.f, 3.f, 5.f, 2.f, 4.f, 6.f}).view({2, 3})));
  EXPECT_THAT(*(*file)->Read("w", {.rows = RowRange{1, 1}}),
              TensorEquals(at::tensor({2.f, 4.f, 6.f}).view({1, 3})));
  EXPECT_THAT((*file)->Read("v"),
              StatusIs(absl::StatusCode::kNotFound, "\"v\" is missing"));
}

TEST_F(TorchFileTest, StoragesMustBeThereAndWhole) {
  auto entries = Entries();
  entries["x/data/0"] = FloatBytes({1});
  EXPECT_THAT(Open(entries).status(),
              StatusIs(kInvalid, "\"w\" is of 6 elements, its storage has 4"));
  entries.erase("x/data/0");
  EXPECT_THAT(Open(entries).status(),
              StatusIs(kInvalid, "\"x/data/0\" is missing"));
}

TEST_F(TorchFileTest, OtherArchivesAreNamed) {
  EXPECT_THAT(Open({{"a", "b"}}).status(),
              StatusIs(kInvalid, path_ + ": has no entry data.pkl"));
  folder_.Write("x.ckpt", "\x80\x02}.");
  EXPECT_THAT(TorchFile::Open(path_).status(),
              StatusIs(kInvalid, "is no archive of torch.save()"));
}

TEST_F(TorchFileTest, FilesOfOldTorchSayWhatToDo) {
  folder_.Write("x.ckpt",
                "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.");
  for (const char* part :
       {"torch older than 1.6 (not a zip archive)", "torch.save()"}) {
    EXPECT_THAT(TorchFile::Open(path_).status(), StatusIs(kInvalid, part));
  }
}

TEST_F(TorchFileTest, DamagedArchivesAreRefusedOrWhole) {
  WriteArchive(path_, Entries());
  const std::string sound = ReadFile(path_);
  std::mt19937 random(/*seed=*/11);
  for (int i = 0; i < 1000; ++i) {
    std::string damaged = sound;
    if (i % 2 == 0) damaged.resize(random() % sound.size());
    for (uint32_t flips = 1 + random() % 4; !damaged.empty() && flips > 0;
         --flips) {
      const size_t byte = random() % damaged.size();
      damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << random() % 8));
    }
    folder_.Write("x.ckpt", damaged);
    const auto file = TorchFile::Open(path_);
    if (!file.ok()) continue;
    for (const auto& [name, entry] : (*file)->entries()) {
      const auto read = (*file)->Read(name);
      if (!read.ok()) continue;
      EXPECT_EQ(read->nbytes(), entry.size_bytes);
    }
  }
}

}  // namespace
}  // namespace genzo
