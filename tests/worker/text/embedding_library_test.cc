#include <filesystem>
#include <limits>

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/weights/tensor_files.h"
#include "worker/text/embedding_folders.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A file of zeros, [count, width] each.
std::string Zeros(
    const std::vector<std::pair<std::string, std::vector<int64_t>>>& tensors) {
  nlohmann::json header;
  size_t end = 0;
  for (const auto& [name, shape] : tensors) {
    const size_t begin = end;
    end += sizeof(float) * static_cast<size_t>(shape[0] * shape[1]);
    header[name] = {
        {"dtype", "F32"}, {"shape", shape}, {"data_offsets", {begin, end}}};
  }
  return TensorFile(header.dump(), end);
}

absl::StatusOr<LearnedEmbedding> Read(const std::string& bytes) {
  const TestFolder folder;
  folder.Write("word.safetensors", bytes);
  return ReadEmbedding(folder.path() + "/word.safetensors");
}

TEST(EmbeddingLibraryTest, ReadsWhatTrainersAndWebUisWrite) {
  const auto named = Read(FloatFile({{"<castle>", {1, 2, 3, 4}}}));
  ASSERT_THAT(named, IsOk());
  EXPECT_EQ(named->name, "<castle>");
  ASSERT_THAT(named->vectors, SizeIs(1));
  EXPECT_EQ(named->vectors[0].sizes(), at::IntArrayRef({1, 4}));
  const auto unnamed = Read(Zeros({{"emb_params", {3, 4}}}));
  ASSERT_THAT(unnamed, IsOk());
  EXPECT_EQ(unnamed->name, "word");
  EXPECT_TRUE(unnamed->Fits({4}));
  EXPECT_FALSE(unnamed->Fits({5}));
  const auto sdxl = Read(Zeros({{"clip_g", {2, 8}}, {"clip_l", {2, 4}}}));
  ASSERT_THAT(sdxl, IsOk());
  EXPECT_TRUE(sdxl->Fits({4, 8}));
  EXPECT_TRUE(sdxl->Fits({LearnedEmbedding::kAnyWidth, 8}));
  EXPECT_FALSE(sdxl->Fits({4}));
  // Of pivotal tuning, under the names of then: a row a token, <s0> and <s1>.
  const auto pivotal =
      Read(Zeros({{"text_encoders_0", {2, 4}}, {"text_encoders_1", {2, 8}}}));
  ASSERT_THAT(pivotal, IsOk());
  EXPECT_EQ(pivotal->name, "word");
  EXPECT_TRUE(pivotal->Fits({4, 8}));
  // That of SD1 has one of the names, which is not its word.
  const auto of_one = Read(Zeros({{"clip_l", {2, 4}}}));
  ASSERT_THAT(of_one, IsOk());
  EXPECT_EQ(of_one->name, "word");
  EXPECT_TRUE(of_one->Fits({4}));
  const auto pickled =
      ReadEmbedding(SourcePath("tests/data/embeddings/tiny-style.pt"));
  ASSERT_THAT(pickled, IsOk());
  EXPECT_EQ(pickled->name, "tiny-style");
  EXPECT_EQ(pickled->vectors[0].sizes(), at::IntArrayRef({2, 8}));
}

TEST(EmbeddingLibraryTest, NamesWhatIsWrongWithAFile) {
  EXPECT_THAT(Read(Zeros({{"emb_params", {76, 4}}})),
              StatusIs(kInvalid, "has 76 vectors, not 1 to 75"));
  EXPECT_THAT(Read(Zeros({{"clip_g", {2, 8}}, {"clip_l", {1, 4}}})),
              StatusIs(kInvalid, "clip_l has 1 vectors, clip_g 2"));
  EXPECT_THAT(
      Read(Zeros({{"text_encoders_0", {2, 4}}, {"text_encoders_1", {1, 8}}})),
      StatusIs(kInvalid, "text_encoders_0 has 2 vectors, text_encoders_1 1"));
  EXPECT_THAT(Read(Zeros({{"a", {1, 4}}, {"b", {1, 4}}})),
              StatusIs(kInvalid, "has 2 tensors"));
  EXPECT_THAT(
      Read(FloatFile({{"a", {std::numeric_limits<float>::quiet_NaN()}}})),
      StatusIs(kInvalid, "tensor \"a\""));
  EXPECT_THAT(Read("no file of that kind"), StatusIs(kInvalid, ""));
}

TEST(EmbeddingFoldersTest, GiveWhatCanBeRead) {
  const TestFolder folder;
  folder.Write("b.safetensors", Zeros({{"emb_params", {1, 4}}}));
  folder.Write("a.safetensors", Zeros({{"emb_params", {1, 4}}}));
  folder.Write("broken.pt", "not a file of torch.save()");
  folder.Write("README.md", "words");
  std::vector<std::string> names;
  const EmbeddingFolders folders({folder.path(), folder.path() + "/absent"});
  for (const auto& embedding : folders.library()->embeddings()) {
    names.push_back(embedding.name);
  }
  EXPECT_THAT(names, ElementsAre("a", "b"));
}

TEST(EmbeddingFoldersTest, AreReadAnewOnceAFileIsAnother) {
  const TestFolder folder;
  EmbeddingFolders folders({folder.path()});
  const auto none = folders.library();
  EXPECT_THAT(none->embeddings(), IsEmpty());
  folder.Write("a.safetensors", Zeros({{"emb_params", {1, 4}}}));
  EXPECT_EQ(folders.library(), none) << "nobody has looked";
  folders.Look();
  const auto one = folders.library();
  EXPECT_THAT(one->embeddings(), SizeIs(1));
  folders.Look();
  EXPECT_EQ(folders.library(), one);
  folder.Write("a.safetensors", Zeros({{"emb_params", {2, 4}}}));
  folders.Look();
  ASSERT_THAT(folders.library()->embeddings(), SizeIs(1));
  EXPECT_EQ(folders.library()->embeddings()[0].vectors[0].size(0), 2);
  std::filesystem::remove(folder.path() + "/a.safetensors");
  folders.Look();
  EXPECT_THAT(folders.library()->embeddings(), IsEmpty());
  EXPECT_THAT(one->embeddings(), SizeIs(1)) << "a job may read it";
}

}  // namespace
}  // namespace genzo
