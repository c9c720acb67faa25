#include "server/resolve/loras.h"

#include <cmath>

#include "gtest/gtest.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

class ResolveLorasTest : public ::testing::Test {
 protected:
  ResolveLorasTest() {
    model_.set_id("tiny");
    model_.add_tasks(v1::TASK_TEXT_TO_IMAGE);
    model_.add_request_fields("loras");
    for (const char* name : {"ink", "other", "broken"}) {
      v1::Lora lora;
      lora.set_name(name);
      lora.set_family("sdxl");
      catalog_.Put(lora);
    }
    catalog_.SetFit("ink", "tiny", absl::OkStatus());
    catalog_.SetFit("other", "tiny", absl::InvalidArgumentError("too wide"));
    catalog_.Fail("broken", absl::InvalidArgumentError("is cut off"));
    lora().set_name("ink");
  }

  v1::LoraUse& lora() {
    if (request_.loras().empty()) request_.add_loras();
    return *request_.mutable_loras(0);
  }
  absl::Status Resolve() {
    Violations violations;
    ResolveLoras(model_, &catalog_, request_, violations);
    return violations.status();
  }

  v1::Model model_;
  LoraCatalog catalog_;
  v1::GenerateRequest request_;
};

TEST_F(ResolveLorasTest, DefaultsAreFilledIn) {
  lora().set_weight(0.8);
  ASSERT_THAT(Resolve(), IsOk());
  EXPECT_EQ(lora().text_encoder_weight(), 0.8);
  EXPECT_EQ(lora().start(), 0);
  EXPECT_EQ(lora().end(), 1);
  lora().clear_weight();
  ASSERT_THAT(Resolve(), IsOk());
  EXPECT_EQ(lora().weight(), 1);
}

TEST_F(ResolveLorasTest, NamesAreCheckedBeforeAnythingIsQueued) {
  lora().set_name("../ink");
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "loras[0].name \"../ink\" is not"));
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "broken, ink, other"));
  lora().set_name("");
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "loras[0].name is empty"));
  lora().set_name("broken");
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "cannot be used: is cut off"));
  lora().set_name("other");
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "of family sdxl, does not fit"));
}

TEST_F(ResolveLorasTest, BlockWeightsThatLeaveNothingAreRefused) {
  v1::LoraBlockWeight& block = *lora().add_block_weights();
  block.set_block("mid_block");
  EXPECT_THAT(Resolve(), IsOk()) << "nobody knows yet what the file changes";
  catalog_.SetFit("ink", "tiny", absl::OkStatus(),
                  {.denoiser = {"mid_block.a"}});
  EXPECT_THAT(Resolve(), StatusIs(kInvalid,
                                  "loras[0].block_weights leave nothing of "
                                  "it"));
  block.set_weight(0.5);
  EXPECT_THAT(Resolve(), IsOk());
  block.set_block("up_blocks");
  EXPECT_THAT(Resolve(), StatusIs(kInvalid,
                                  "loras[0].block_weights name no layer that "
                                  "it changes; those are in mid_block"));
}

TEST_F(ResolveLorasTest, NumbersHaveLimits) {
  lora().set_weight(11);
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "loras[0].weight 11"));
  lora().set_weight(std::nan(""));
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "loras[0].weight nan"));
  lora().set_weight(1);
  lora().set_text_encoder_weight(-11);
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "loras[0].text_encoder_weight"));
  lora().set_text_encoder_weight(1);
  lora().set_start(0.5);
  lora().set_end(0.5);
  EXPECT_THAT(
      Resolve(),
      StatusIs(kInvalid, "loras[0].end 0.5 is not over loras[0].start"));
  lora().set_end(1.5);
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "loras[0].end 1.5"));
  lora().set_end(1);
  lora().add_block_weights()->set_weight(12);
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "block_weights[0].weight 12"));
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "block_weights[0].block is empty"));
  for (int i = 0; i < 32; ++i) request_.add_loras()->set_name("ink");
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "loras has 33 entries"));
}

TEST_F(ResolveLorasTest, TagsInPromptsPointToTheField) {
  request_.set_prompt("a fox <lora:ink:0.8>");
  EXPECT_THAT(Resolve(), StatusIs(kInvalid,
                                  "prompt has <lora:...>, which is not read "
                                  "here: name the adapter in loras"));
  request_.clear_loras();  // whether or not there are others
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "prompt has <lora:"));
}

TEST_F(ResolveLorasTest, ModelsThatTakeNoneSaySo) {
  model_.clear_request_fields();
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "loras"));
  request_.clear_loras();
  EXPECT_THAT(Resolve(), IsOk());
}

}  // namespace
}  // namespace genzo
