// What one request's fault does to the others, through a real server.

#include <atomic>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include "c10/core/CPUAllocator.h"
#include "tests/testing/matchers.h"
#include "tests/testing/pictures.h"
#include "tests/testing/server.h"
#include "worker/text/clip_tokenizer.h"
#include "worker/weights/safetensors.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;
using v1::GenerateRequest;

GenerateRequest Request(const std::string& prompt) {
  GenerateRequest request;
  request.set_prompt(prompt);
  request.set_seed(7);
  request.set_steps(6);
  request.set_sampler(v1::SAMPLER_DDIM);
  return request;
}

// Writes NaN over the embedding of the token that is `word`.
void Poison(const std::string& model, const std::string& word) {
  const auto tokenizer = ClipTokenizer::Read(model + "/tokenizer");
  ASSERT_THAT(tokenizer, IsOk());
  const int64_t id = tokenizer->Encode(word)[1];  // behind the start token
  const std::string path = model + "/text_encoder/model.safetensors";
  const auto file = SafetensorsFile::Open(path);
  ASSERT_THAT(file, IsOk());
  const TensorEntry entry =
      (*file)->entries().at("text_model.embeddings.token_embedding.weight");
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  std::fstream bytes(path, std::ios::in | std::ios::out | std::ios::binary);
  uint64_t header_bytes = 0;
  bytes.read(reinterpret_cast<char*>(&header_bytes), sizeof(header_bytes));
  const auto row_bytes = entry.size_bytes / entry.shape[0];
  const std::string row(row_bytes, '\xff');  // NaN in every type
  bytes.seekp(static_cast<std::streamoff>(sizeof(header_bytes) + header_bytes +
                                          entry.begin_bytes + id * row_bytes));
  bytes << row;
}

TEST(FaultsTest, ALatentThatIsNotFiniteFailsItsRunAlone) {
  const TestFolder folder;
  Config config = TinyConfig();
  config.models[0].path = folder.CopyTinyModel();
  Poison(config.models[0].path, "cursed");
  const Server server(config);
  Call solo(server, Request("a red fox"));
  const std::string expected = PictureOf(solo.Rest());
  ASSERT_FALSE(expected.empty());
  for (int i = 0; i < 5; ++i) {
    Call cursed(server, Request("a cursed fox"));
    Call sound(server, Request("a red fox"));
    const auto events = cursed.Rest();
    EXPECT_TRUE(PictureOf(events).empty());
    EXPECT_EQ(cursed.status().error_code(), grpc::StatusCode::INTERNAL);
    EXPECT_EQ(cursed.reason(), "NOT_FINITE");
    EXPECT_THAT(cursed.status().error_message(),
                HasSubstr("step 1 gave values that are not finite"));
    EXPECT_EQ(PictureOf(sound.Rest()), expected);
  }
}

// The CPU's allocator, which fails as the real one does when a tensor of the
// step thread is larger than a limit.
class LimitedAllocator : public c10::Allocator {
 public:
  static LimitedAllocator& Instance() {
    static LimitedAllocator* const instance = [] {
      auto* const made = new LimitedAllocator(c10::GetCPUAllocator());
      c10::SetCPUAllocator(made, /*priority=*/1);
      return made;
    }();
    return *instance;
  }

  // From the next allocation on, whose thread is taken for the step thread: it
  // is the first to touch a tensor when a job comes.
  void Limit(size_t largest_bytes) {
    encoder_ = std::thread::id();
    thread_ = std::thread::id();
    largest_bytes_ = 0;
    limit_bytes_ = largest_bytes;
    watching_ = true;
  }
  void Lift() { watching_ = false; }

  // Bytes of the step thread's largest tensor since Limit().
  size_t largest_bytes() const { return largest_bytes_; }

  c10::DataPtr allocate(size_t bytes) override {
    if (!watching_) return real_.allocate(bytes);
    // Texts are encoded on the first thread that comes, steps made on the next.
    std::thread::id nobody;
    const std::thread::id me = std::this_thread::get_id();
    encoder_.compare_exchange_strong(nobody, me);
    nobody = {};
    if (encoder_ != me) thread_.compare_exchange_strong(nobody, me);
    if (thread_ == me) {
      if (bytes > limit_bytes_) bytes = size_t{1} << 60;  // which nobody has
      largest_bytes_ = std::max<size_t>(largest_bytes_, bytes);
    }
    return real_.allocate(bytes);
  }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    real_.copy_data(to, from, bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override { return real_.raw_deleter(); }

 private:
  explicit LimitedAllocator(c10::Allocator* real) : real_(*real) {}

  c10::Allocator& real_;
  std::atomic<bool> watching_{false};
  std::atomic<size_t> limit_bytes_{0};
  std::atomic<size_t> largest_bytes_{0};
  std::atomic<std::thread::id> encoder_;
  std::atomic<std::thread::id> thread_;
};

class OutOfMemoryTest : public ::testing::Test {
 protected:
  OutOfMemoryTest() : memory_(LimitedAllocator::Instance()) {}
  ~OutOfMemoryTest() override { memory_.Lift(); }

  // The pictures of four images, and of a lone one the largest tensor.
  std::vector<std::string> FourPictures(Server& server) {
    GenerateRequest four = Request("a red fox");
    four.set_image_count(4);
    Call call(server, four);
    std::vector<std::string> pictures(4);
    for (const auto& event : call.Rest()) {
      if (!event.has_image()) continue;
      pictures[event.image().image_index()] = event.image().picture().data();
    }
    return pictures;
  }
  size_t LargestAlone(Server& server) {
    memory_.Limit(std::numeric_limits<size_t>::max());
    Call call(server, Request("a red fox"));
    EXPECT_TRUE(Succeeded(call.Rest().back()));
    memory_.Lift();
    return memory_.largest_bytes();
  }

  LimitedAllocator& memory_;
};

TEST_F(OutOfMemoryTest, FewerRowsAreTriedUntilTheyFit) {
  Server server(TinyConfig());
  const std::vector<std::string> expected = FourPictures(server);
  memory_.Limit(LargestAlone(server) * 5 /
                2);  // eight rows do not fit, four do
  EXPECT_EQ(FourPictures(server), expected);
  memory_.Lift();
  EXPECT_GE(server.metrics().ForModel("tiny").out_of_memory.Value(), 1);
}

TEST_F(OutOfMemoryTest, ARunThatDoesNotFitAloneFailsAlone) {
  Server server(TinyConfig());
  memory_.Limit(LargestAlone(server) / 2);
  Call call(server, Request("a red fox"));
  call.Rest();
  memory_.Lift();
  EXPECT_EQ(call.status().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(call.reason(), "EVALUATION_FAILED");
  EXPECT_THAT(call.status().error_message(), HasSubstr("out of memory"));
  Call next(server, Request("a red fox"));
  EXPECT_TRUE(Succeeded(next.Rest().back()));
}

}  // namespace
}  // namespace genzo
