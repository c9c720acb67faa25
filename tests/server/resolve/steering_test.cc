// How prompts are read, guidance, variations and kept latents.

#include <functional>

#include "server/resolve/request_resolver.h"
#include "tests/server/resolve/resolver_model.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using v1::GenerateRequest;

const std::vector<std::string>& AllFields() {
  static const auto* const fields =
      new std::vector<std::string>{"prompt_syntax",
                                   "guidance.start",
                                   "guidance.end",
                                   "guidance.perturbed_attention_scale",
                                   "guidance.perturbed_layers",
                                   "guidance.skip_layer_scale",
                                   "guidance.skip_layers",
                                   "guidance.text_gate_step",
                                   "image_to_image.inversion",
                                   "variation",
                                   "keep_latents",
                                   "start_latents"};
  return *fields;
}

using Change = std::function<void(GenerateRequest&)>;

absl::StatusOr<GenerateRequest> Resolve(
    const Change& change,
    const std::vector<std::string>& fields = AllFields()) {
  GenerateRequest request;
  request.set_prompt("a fox");
  request.set_steps(10);
  change(request);
  return ResolveRequest(request, ResolverModel(fields), {}, /*drawn_seed=*/99);
}

TEST(ResolveSteeringTest, AModelThatDoesNotTakeAFieldIsNamedWithIt) {
  const std::pair<const char*, Change> uses[] = {
      {"prompt_syntax",
       [](GenerateRequest& r) {
         r.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
       }},
      {"guidance.start",
       [](GenerateRequest& r) { r.mutable_guidance()->set_start(0.1); }},
      {"guidance.end",
       [](GenerateRequest& r) { r.mutable_guidance()->set_end(0.9); }},
      {"guidance.perturbed_attention_scale",
       [](GenerateRequest& r) {
         r.mutable_guidance()->set_perturbed_attention_scale(3);
       }},
      {"guidance.perturbed_layers",
       [](GenerateRequest& r) {
         r.mutable_guidance()->set_perturbed_attention_scale(3);
         r.mutable_guidance()->add_perturbed_layers("mid_block");
       }},
      {"image_to_image.inversion",
       [](GenerateRequest& r) {
         r.mutable_image_to_image()->set_image(
             ReadFile(SourcePath("tests/data/pictures/rgb_png.png")));
         r.mutable_image_to_image()->mutable_inversion();
       }},
      {"guidance.skip_layer_scale",
       [](GenerateRequest& r) {
         r.mutable_guidance()->set_skip_layer_scale(3);
       }},
      {"guidance.text_gate_step",
       [](GenerateRequest& r) { r.mutable_guidance()->set_text_gate_step(5); }},
      {"variation",
       [](GenerateRequest& r) { r.mutable_variation()->set_strength(0.5); }},
      {"keep_latents", [](GenerateRequest& r) { r.set_keep_latents(true); }},
      {"start_latents", [](GenerateRequest& r) { r.set_start_latents("x"); }}};
  for (const auto& [field, change] : uses) {
    EXPECT_THAT(Resolve(change), IsOk()) << field;
    std::vector<std::string> others;
    for (const std::string& other : AllFields()) {
      if (other != field) others.push_back(other);
    }
    EXPECT_THAT(Resolve(change, others),
                StatusIs(kInvalid, std::string(field) + ": model \"tiny\""));
  }
}

TEST(ResolveSteeringTest, SyntaxIsReadOnlyWhereItIsAskedFor) {
  const auto with = [](v1::PromptSyntax syntax) {
    return [syntax](GenerateRequest& r) {
      r.set_negative_prompt("a (red:11) fox");
      r.set_prompt_syntax(syntax);
    };
  };
  EXPECT_THAT(Resolve(with(v1::PROMPT_SYNTAX_PLAIN)), IsOk());
  EXPECT_THAT(Resolve(with(v1::PROMPT_SYNTAX_WEIGHTED)),
              StatusIs(kInvalid, "negative_prompt has a weight of 11"));
  EXPECT_THAT(Resolve(with(static_cast<v1::PromptSyntax>(9))),
              StatusIs(kInvalid, "prompt_syntax 9"));
}

absl::StatusOr<GenerateRequest> ResolveEdited(
    const std::string& prompt, const std::string& negative = "") {
  return Resolve([&](GenerateRequest& r) {
    r.set_prompt(prompt);
    r.set_negative_prompt(negative);
    r.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
    r.set_steps(20);
  });
}

TEST(ResolveSteeringTest, PromptsThatChangeHaveTheirLimits) {
  EXPECT_THAT(ResolveEdited("a [red:blue:0.5] [fox|cat]", "[fog:5]"), IsOk());
  // Each text is read by itself: together the brackets weigh less.
  EXPECT_THAT(ResolveEdited("[(fox:10.5):(cat:2):3]"),
              StatusIs(kInvalid, "prompt has a weight of 10.5"));
  std::string many = "[0";
  for (int i = 1; i < 13; ++i) many += "|" + std::to_string(i);
  EXPECT_THAT(ResolveEdited(many + "]"),
              StatusIs(kInvalid,
                       "prompt changes to 13 texts over 20 steps, the limit "
                       "is 12"));
  EXPECT_THAT(ResolveEdited("[a|b|c|d]", "[e|f|g|h|i]"),
              StatusIs(kInvalid, "make 20 combinations over 20 steps"));
}

TEST(ResolveSteeringTest, PerturbedLayersAreTheModels) {
  v1::Model model = ResolverModel(AllFields());
  model.add_attention_layers("down_blocks.1.attentions.0");
  model.add_attention_layers("mid_block.attentions.0");
  GenerateRequest request;
  const auto resolve = [&](const std::string& layer) {
    request.mutable_guidance()->clear_perturbed_layers();
    request.mutable_guidance()->add_perturbed_layers(layer);
    return ResolveRequest(request, model, {}, /*drawn_seed=*/99);
  };
  EXPECT_THAT(resolve("mid_block"),
              StatusIs(kInvalid, "needs a guidance.perturbed_attention_scale"));
  request.mutable_guidance()->set_perturbed_attention_scale(3);
  EXPECT_THAT(resolve("mid_block"), IsOk());
  EXPECT_THAT(resolve("down_blocks.1"), IsOk());
  EXPECT_THAT(resolve("down"),
              StatusIs(kInvalid,
                       "guidance.perturbed_layers[0] \"down\" has no attention "
                       "in model \"tiny\": down_blocks.1.attentions.0, "
                       "mid_block.attentions.0"));
  for (int i = 0; i < 101; ++i) {
    request.mutable_guidance()->add_perturbed_layers("mid_block");
  }
  EXPECT_THAT(ResolveRequest(request, model, {}, /*drawn_seed=*/99),
              StatusIs(kInvalid, "has 102 entries, the limit is 100"));
}

absl::StatusOr<GenerateRequest> ResolveInversion(
    const std::function<void(GenerateRequest&, v1::ImageToImage::Inversion&)>&
        change) {
  return Resolve([&](GenerateRequest& r) {
    r.mutable_image_to_image()->set_image(
        ReadFile(SourcePath("tests/data/pictures/rgb_png.png")));
    change(r, *r.mutable_image_to_image()->mutable_inversion());
  });
}

TEST(ResolveSteeringTest, AnInversionIsFilledInFromTheRequest) {
  const auto resolved = ResolveInversion([](auto&, auto&) {});
  ASSERT_THAT(resolved, IsOk());
  EXPECT_EQ(resolved->image_to_image().strength(), 1);
  const auto& inversion = resolved->image_to_image().inversion();
  EXPECT_EQ(inversion.prompt(), "a fox");
  EXPECT_EQ(inversion.guidance_scale(), 1);
  EXPECT_EQ(inversion.steps(), 10u);
  const auto empty = ResolveInversion(
      [](auto&, auto& inversion) { inversion.set_prompt(""); });
  ASSERT_THAT(empty, IsOk());
  EXPECT_EQ(empty->image_to_image().inversion().prompt(), "");
}

TEST(ResolveSteeringTest, WhatAnInversionCannotBeIsNamed) {
  const std::string field = "image_to_image.inversion";
  EXPECT_THAT(
      ResolveInversion([](auto&, auto& i) { i.set_guidance_scale(101); }),
      StatusIs(kInvalid, field + ".guidance_scale 101"));
  EXPECT_THAT(ResolveInversion([](auto&, auto& i) { i.set_steps(1000); }),
              StatusIs(kInvalid, field + ".steps 1000 is not between 1"));
  EXPECT_THAT(
      ResolveInversion([](auto& r, auto& i) {
        r.mutable_image_to_image()->set_strength(0.1);
        i.set_steps(9);
      }),
      StatusIs(kInvalid, field + ".steps 9 are none at image_to_image.strength "
                                 "0.1"));
  EXPECT_THAT(ResolveInversion([](auto&, auto& i) {
                i.set_prompt(std::string(10'000, 'x'));
              }),
              StatusIs(kInvalid, field + ".prompt"));
  EXPECT_THAT(ResolveInversion([](auto& r, auto& i) {
                r.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
                i.set_prompt("(a:11)");
              }),
              StatusIs(kInvalid, field + ".prompt has a weight of 11"));
  EXPECT_THAT(ResolveInversion([](auto& r, auto&) {
                r.mutable_variation()->set_strength(0.5);
              }),
              StatusIs(kInvalid, field + " does not go with variation"));
  EXPECT_THAT(ResolveInversion([](auto& r, auto&) {
                r.mutable_inpainting()->mutable_mask()->set_data("png");
              }),
              StatusIs(kInvalid, field + " does not go with inpainting"));
  EXPECT_THAT(ResolveInversion([](auto& r, auto&) {
                r.mutable_image_to_image()->clear_image();
              }),
              StatusIs(kInvalid, "image_to_image.image is"));
}

TEST(ResolveSteeringTest, GuidanceHasItsRanges) {
  const auto with = [](const std::function<void(v1::GuidanceOptions&)>& set) {
    return Resolve([&](GenerateRequest& r) { set(*r.mutable_guidance()); });
  };
  EXPECT_THAT(with([](auto& g) { g.set_start(1.5); }),
              StatusIs(kInvalid, "guidance.start 1.5"));
  EXPECT_THAT(with([](auto& g) { g.set_start(1.5); }),
              ::testing::Not(StatusIs(kInvalid, "guidance.end")))
      << "of which nothing was said";
  EXPECT_THAT(with([](auto& g) {
                g.set_start(0.5);
                g.set_end(0.4);
              }),
              StatusIs(kInvalid, "guidance.end 0.4 is not between 0.5 and 1"));
  EXPECT_THAT(with([](auto& g) { g.set_perturbed_attention_scale(-1); }),
              StatusIs(kInvalid, "guidance.perturbed_attention_scale -1"));
  EXPECT_THAT(with([](auto& g) { g.add_skip_layers(3); }),
              StatusIs(kInvalid, "needs a guidance.skip_layer_scale"));
  EXPECT_THAT(with([](auto& g) {
                for (int i = 0; i < 101; ++i) g.add_skip_layers(i);
              }),
              StatusIs(kInvalid,
                       "guidance.skip_layers has 101 entries, the limit is "
                       "100"));
  EXPECT_THAT(with([](auto& g) { g.set_text_gate_step(11); }),
              StatusIs(kInvalid, "text_gate_step 11 is not between 1 and 10"));
}

TEST(ResolveSteeringTest, ATextsGateIsBehindTheFirstStepOfAWalk) {
  const auto gate = [](uint32_t step) {
    return Resolve([step](GenerateRequest& r) {
      r.set_start_latents("x");
      r.mutable_image_to_image()->set_strength(0.6);
      r.mutable_guidance()->set_text_gate_step(step);
    });
  };
  EXPECT_THAT(gate(5), IsOk());
  EXPECT_THAT(gate(4), StatusIs(kInvalid, "not between 5 and 10"));
}

TEST(ResolveSteeringTest, AVariationGetsASeedOfItsOwn) {
  const auto resolved = Resolve(
      [](GenerateRequest& r) { r.mutable_variation()->set_strength(0.5); });
  ASSERT_THAT(resolved, IsOk());
  EXPECT_TRUE(resolved->variation().has_seed());
  EXPECT_NE(resolved->variation().seed(), resolved->seed());
  EXPECT_THAT(Resolve([](GenerateRequest& r) {
                r.mutable_variation()->set_strength(1.5);
              }),
              StatusIs(kInvalid, "variation.strength 1.5"));
  EXPECT_THAT(Resolve([](GenerateRequest& r) {
                r.mutable_variation()->set_resize_from_width(100);
              }),
              StatusIs(kInvalid, "variation.resize_from_width 100 is not a"));
  EXPECT_THAT(Resolve([](GenerateRequest& r) {
                r.mutable_variation()->set_resize_from_width(128);
              }),
              StatusIs(kInvalid, "variation.resize_from_height 0"));
}

TEST(ResolveSteeringTest, LatentsStandInForAPicture) {
  const auto resolved =
      Resolve([](GenerateRequest& r) { r.set_start_latents("x"); });
  ASSERT_THAT(resolved, IsOk());
  EXPECT_EQ(resolved->image_to_image().strength(), 0.8);
  EXPECT_THAT(Resolve([](GenerateRequest& r) {
                r.set_start_latents("x");
                r.mutable_image_to_image()->set_image("PNG");
              }),
              StatusIs(kInvalid, "does not go with image_to_image.image"));
  EXPECT_THAT(Resolve([](GenerateRequest& r) {
                r.set_start_latents("x");
                r.mutable_inpainting();
              }),
              StatusIs(kInvalid, "start_latents does not go with inpainting"));
  EXPECT_THAT(Resolve([](GenerateRequest& r) {
                r.set_start_latents(std::string(257, 'x'));
              }),
              StatusIs(kInvalid, "start_latents has 257 bytes"));
}

}  // namespace
}  // namespace genzo
