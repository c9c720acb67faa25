#include "worker/residency/adapter_store.h"

#include <algorithm>
#include <atomic>

#include "absl/synchronization/notification.h"
#include "c10/core/InferenceMode.h"
#include "c10/core/StorageImpl.h"
#include "c10/util/intrusive_ptr.h"
#include "tests/testing/fake_spare_memory.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tiny_lora.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {
namespace {

class AdapterStoreTest : public ::testing::Test {
 protected:
  AdapterStoreTest() : model_(*LoadPipeline(TinyModelFolder(), Placement())) {}

  void Write(int count) {
    for (int i = 0; i < count; ++i) {
      WriteLora(folder_, absl::StrCat("lora", i), TinyLora(/*rank=*/2));
    }
    library_ =
        std::make_unique<LoraLibrary>(std::vector<std::string>{folder_.path()},
                                      catalog_, absl::InfiniteDuration());
  }
  int64_t OneAdaptersBytes() const {
    return LoraAdapter::BytesOf(*library_->Find("lora0")->tensors,
                                *model_->adapter_targets(), Placement());
  }
  static v1::GenerateRequest Asking(const std::vector<int>& loras) {
    v1::GenerateRequest request;
    for (const int lora : loras) {
      request.add_loras()->set_name(absl::StrCat("lora", lora));
    }
    return request;
  }
  SpareMemory Plenty() { return plenty_.memory(); }
  // Waits until they have come.
  AdapterStore::Fetched Fetch(AdapterStore& store, const std::string& job,
                              const v1::GenerateRequest& request) {
    while (true) {
      auto fetched = store.Fetch(job, request, model_);
      if (fetched.has_value()) return *std::move(fetched);
      store.AwaitChange();
    }
  }

  c10::InferenceMode inference_;
  const TestFolder folder_;
  LoraCatalog catalog_;
  Metrics metrics_;
  const DeviceMetrics figures_ = metrics_.ForDevice("cpu:0");
  std::unique_ptr<LoraLibrary> library_;
  const ModelRef model_;
  FakeSpareMemory plenty_{int64_t{1} << 40};
};

TEST_F(AdapterStoreTest, WhatWasReadOnceIsThere) {
  Write(2);
  AdapterStore store(library_.get(), Placement(), int64_t{1} << 30, Plenty(),
                     figures_, [] {});
  v1::GenerateRequest request = Asking({0, 1});
  request.mutable_loras(1)->set_weight(0.5);
  request.mutable_loras(1)->set_start(0.25);
  const auto first = Fetch(store, "a", request);
  ASSERT_THAT(first, IsOk());
  ASSERT_EQ(first->size(), 2u);
  EXPECT_EQ((*first)[0].weight, 1);
  EXPECT_EQ((*first)[1].text_encoder_weight, 0.5);
  EXPECT_EQ((*first)[1].start, 0.25);
  const auto second = Fetch(store, "b", Asking({1}));
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ((*second)[0].adapter, (*first)[1].adapter);
  EXPECT_EQ(store.bytes(), 2 * OneAdaptersBytes());
}

// As when newer files of it were loaded in between.
TEST_F(AdapterStoreTest, WhatCameForAModelThatGaveWayIsFetchedAnew) {
  Write(1);
  AdapterStore store(library_.get(), Placement(), int64_t{1} << 30, Plenty(),
                     figures_, [] {});
  const ModelRef newer = *LoadPipeline(TinyModelFolder(), Placement());
  const v1::GenerateRequest request = Asking({0});
  EXPECT_FALSE(store.Fetch("a", request, model_).has_value());
  while (!store.AwaitChange()) {
  }
  std::optional<AdapterStore::Fetched> fetched;
  while (!(fetched = store.Fetch("a", request, newer)).has_value()) {
    store.AwaitChange();
  }
  ASSERT_THAT(*fetched, IsOk());
  EXPECT_EQ(store.bytes(), 2 * OneAdaptersBytes()) << "of either model";
  EXPECT_NE((**fetched)[0].adapter, (*Fetch(store, "b", request))[0].adapter);
}

TEST_F(AdapterStoreTest, ABlockThatIsNoneIsNamed) {
  Write(1);
  AdapterStore store(library_.get(), Placement(), int64_t{1} << 30, Plenty(),
                     figures_, [] {});
  v1::GenerateRequest request = Asking({0});
  v1::LoraUse& lora = *request.mutable_loras(0);
  lora.add_block_weights()->set_block("mid_block");
  EXPECT_THAT(Fetch(store, "a", request), IsOk());
  lora.add_block_weights()->set_block("mid_blok");
  EXPECT_THAT(Fetch(store, "b", request),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "loras[0].block_weights[1].block \"mid_blok\" begins"));
}

// A model's first job is here before the front end knows what fits it.
TEST_F(AdapterStoreTest, BlocksThatLeaveNothingAreRefused) {
  Write(1);
  AdapterStore store(library_.get(), Placement(), int64_t{1} << 30, Plenty(),
                     figures_, [] {});
  v1::GenerateRequest request = Asking({0});
  v1::LoraUse& lora = *request.mutable_loras(0);
  lora.set_weight(0);
  lora.set_text_encoder_weight(0);
  v1::LoraBlockWeight& block = *lora.add_block_weights();
  block.set_block("mid_block");
  block.set_weight(0);
  EXPECT_THAT(
      Fetch(store, "a", request),
      StatusIs(absl::StatusCode::kInvalidArgument, "loras[0].block_weights "));
}

// The memory behind tensors, held by others alone.
class WatchedStorages {
 public:
  // All that the adapter holds.
  void Add(const LoraAdapter& adapter) {
    AdapterSet set;
    for (const char* component : {"denoiser", "text_encoder"}) {
      adapter.AddTo(
          component, [](const std::string&) { return 1; }, set);
    }
    for (const auto& [layer, deltas] : set.layers) {
      for (const LayerDelta& delta : deltas) {
        for (const at::Tensor& tensor : {delta.down, delta.up}) {
          storages_.push_back(tensor.storage().getWeakStorageImpl());
        }
      }
    }
  }

  int64_t BytesAlive() const {
    int64_t bytes = 0;
    for (const auto& storage : storages_) {
      const auto alive = storage.lock();
      if (alive.defined()) bytes += static_cast<int64_t>(alive->nbytes());
    }
    return bytes;
  }

 private:
  std::vector<c10::weak_intrusive_ptr<c10::StorageImpl>> storages_;
};

// What is counted, and what is there.
TEST_F(AdapterStoreTest, LoadingAndUnloadingFiftyReturnsTheMemory) {
  Write(50);
  const int64_t one = OneAdaptersBytes();
  AdapterStore store(library_.get(), Placement(), 4 * one, Plenty(), figures_,
                     [] {});
  WatchedStorages watched;
  for (int i = 0; i < 50; ++i) {
    {
      const auto fetched = Fetch(store, absl::StrCat("job", i), Asking({i}));
      ASSERT_THAT(fetched, IsOk()) << i;
      watched.Add(*(*fetched)[0].adapter);
    }
    EXPECT_EQ(watched.BytesAlive(), std::min(i + 1, 4) * one) << i;
    EXPECT_EQ(store.bytes(), std::min(i + 1, 4) * one) << i;
  }
  EXPECT_EQ(figures_.adapters.Value(), 4);
  EXPECT_EQ(figures_.adapter_bytes.Value(), static_cast<double>(4 * one));
  store.Clear();
  EXPECT_EQ(watched.BytesAlive(), 0);
  EXPECT_EQ(store.bytes(), 0);
  EXPECT_EQ(figures_.adapters.Value(), 0);
  EXPECT_EQ(figures_.adapter_bytes.Value(), 0);
}

TEST_F(AdapterStoreTest, WhatAJobHasIsNotPushedOut) {
  Write(3);
  AdapterStore store(library_.get(), Placement(), 2 * OneAdaptersBytes(),
                     Plenty(), figures_, [] {});
  auto first = std::make_unique<AdapterStore::Fetched>(
      Fetch(store, "a", Asking({0, 1})));
  ASSERT_THAT(*first, IsOk());
  EXPECT_FALSE(store.Fetch("b", Asking({2}), model_).has_value());
  first.reset();  // the job ends
  EXPECT_THAT(Fetch(store, "b", Asking({2})), IsOk());
}

TEST_F(AdapterStoreTest, TakesOfWhatModelsLeaveAndGivesItBack) {
  Write(3);
  const int64_t one = OneAdaptersBytes();
  FakeSpareMemory memory(2 * one);
  AdapterStore store(library_.get(), Placement(), 10 * one, memory.memory(),
                     figures_, [] {});
  memory.Serve(&store);
  for (int i = 0; i < 3; ++i) {
    ASSERT_THAT(Fetch(store, absl::StrCat(i), Asking({i})), IsOk());
  }
  EXPECT_EQ(store.bytes(), 2 * one) << "the longest unused has left";
  EXPECT_EQ(memory.left(), 0);
  EXPECT_THAT(Fetch(store, "d", Asking({0, 1, 2})).status(),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       "what the model leaves of memory_budget_mb"));
  store.Clear();
  EXPECT_EQ(memory.left(), 2 * one);
}

// As one that ends while its last picture is written, when nothing else runs.
TEST_F(AdapterStoreTest, AJobThatLetsGoTellsThoseThatWait) {
  Write(2);
  const int64_t one = OneAdaptersBytes();
  FakeSpareMemory memory(one);
  std::atomic<int> changes = 0;
  AdapterStore store(library_.get(), Placement(), one, memory.memory(),
                     figures_, [&] { ++changes; });
  memory.Serve(&store);
  auto first =
      std::make_unique<AdapterStore::Fetched>(Fetch(store, "a", Asking({0})));
  ASSERT_THAT(*first, IsOk());
  EXPECT_FALSE(store.Fetch("b", Asking({1}), model_).has_value());
  EXPECT_FALSE(store.AwaitChange()) << "it waits for room";
  const int before = changes;
  first.reset();
  EXPECT_EQ(changes, before + 1);
  EXPECT_THAT(Fetch(store, "b", Asking({1})), IsOk());
}

TEST_F(AdapterStoreTest, WhatCannotBeHadIsSaidByField) {
  Write(3);
  AdapterStore store(library_.get(), Placement(), 2 * OneAdaptersBytes(),
                     Plenty(), figures_, [] {});
  EXPECT_THAT(Fetch(store, "a", Asking({0, 7})).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, "loras[1].name"));
  EXPECT_THAT(Fetch(store, "b", Asking({0, 1, 2})).status(),
              StatusIs(absl::StatusCode::kResourceExhausted, "loras take"));
  AdapterStore none(nullptr, Placement(), 0, Plenty(), figures_, [] {});
  EXPECT_THAT(none.Fetch("c", Asking({0}), model_)->status(),
              StatusIs(absl::StatusCode::kInvalidArgument, "no adapters"));
  EXPECT_THAT(*none.Fetch("d", Asking({}), model_), IsOk());
}

}  // namespace
}  // namespace genzo
