#include "worker/weights/single_file/original_names.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace genzo {
namespace {

// A fused projection and its three parts, "a.qkv.*" and "b.to_{}.*".
NameRule Fused(const std::string& original, const std::string& name) {
  NameRule rule = {original, {}, NameRule::kRows};
  for (const char* part : {"q", "k", "v"}) {
    rule.names.push_back(absl::StrReplaceAll(name, {{"{}", part}}));
  }
  return rule;
}

// A perceptron that embeds one number or vector.
void AddEmbedder(const std::string& original, const char* first,
                 const char* second, const std::string& name,
                 NameRules& rules) {
  const std::string ours = absl::StrCat("time_text_embed.", name, ".linear_");
  rules.push_back({absl::StrCat(original, first, ".*"), {ours + "1.*"}});
  rules.push_back({absl::StrCat(original, second, ".*"), {ours + "2.*"}});
}

}  // namespace

NameRules AutoencoderNames(const Entries& entries) {
  const int64_t levels = std::max(CountBlocks(entries, "decoder.up."),
                                  CountBlocks(entries, "decoder.up_blocks."));
  NameRules rules;
  for (const std::string side : {"encoder", "decoder"}) {
    const bool down = side == "encoder";
    for (int64_t level = 0; level < levels; ++level) {
      const std::string theirs =
          absl::StrCat(side, down ? ".down." : ".up.", level);
      const std::string ours =
          absl::StrCat(side, down ? ".down_blocks." : ".up_blocks.",
                       down ? level : levels - 1 - level);
      rules.push_back({absl::StrCat(theirs, ".block.#.nin_shortcut.*"),
                       {absl::StrCat(ours, ".resnets.#.conv_shortcut.*")}});
      rules.push_back({absl::StrCat(theirs, ".block.#.*"),
                       {absl::StrCat(ours, ".resnets.#.*")}});
      rules.push_back(
          {absl::StrCat(theirs, down ? ".downsample.*" : ".upsample.*"),
           {absl::StrCat(ours,
                         down ? ".downsamplers.0.*" : ".upsamplers.0.*")}});
    }
    const std::string mid = absl::StrCat(side, ".mid.");
    const std::string block = absl::StrCat(side, ".mid_block.");
    rules.push_back({mid + "block_1.*", {block + "resnets.0.*"}});
    rules.push_back({mid + "block_2.*", {block + "resnets.1.*"}});
    rules.push_back(
        {mid + "attn_1.norm.*", {block + "attentions.0.group_norm.*"}});
    // The names that diffusers writes, then those that it wrote once.
    for (const auto& [theirs, ours, once] :
         {std::tuple("q", "to_q", "query"), std::tuple("k", "to_k", "key"),
          std::tuple("v", "to_v", "value"),
          std::tuple("proj_out", "to_out.0", "proj_attn")}) {
      for (const char* name : {ours, once}) {
        rules.push_back({absl::StrCat(mid, "attn_1.", theirs, ".*"),
                         {absl::StrCat(block, "attentions.0.", name, ".*")},
                         NameRule::kPointwise});
      }
    }
    rules.push_back({absl::StrCat(side, ".norm_out.*"),
                     {absl::StrCat(side, ".conv_norm_out.*")}});
  }
  return rules;
}

NameRules OpenClipNames(int64_t layers, bool projection) {
  NameRules rules = {{"positional_embedding",
                      {"text_model.embeddings.position_embedding.weight"}},
                     {"token_embedding.weight",
                      {"text_model.embeddings.token_embedding.weight"}},
                     {"ln_final.*", {"text_model.final_layer_norm.*"}},
                     {"logit_scale", {}},
                     {"attn_mask", {}}};
  if (projection) {
    rules.push_back(
        {"text_projection", {"text_projection.weight"}, NameRule::kTransposed});
  } else {
    rules.push_back({"text_projection", {}});
  }
  for (int64_t i = 0; i < layers; ++i) {
    const std::string theirs = absl::StrCat("transformer.resblocks.", i, ".");
    const std::string ours = absl::StrCat("text_model.encoder.layers.", i, ".");
    for (const char* tensor : {"weight", "bias"}) {
      rules.push_back(Fused(absl::StrCat(theirs, "attn.in_proj_", tensor),
                            absl::StrCat(ours, "self_attn.{}_proj.", tensor)));
    }
    for (const auto& [original, name] :
         {std::pair("attn.out_proj", "self_attn.out_proj"),
          std::pair("ln_1", "layer_norm1"), std::pair("ln_2", "layer_norm2"),
          std::pair("mlp.c_fc", "mlp.fc1"),
          std::pair("mlp.c_proj", "mlp.fc2")}) {
      rules.push_back({absl::StrCat(theirs, original, ".*"),
                       {absl::StrCat(ours, name, ".*")}});
    }
  }
  rules.push_back({"transformer.resblocks.*", {}});
  return rules;
}

NameRules Sd3Names(const Entries& entries) {
  const int64_t blocks = std::max(CountBlocks(entries, "joint_blocks."),
                                  CountBlocks(entries, "transformer_blocks."));
  NameRules rules = {
      {"pos_embed", {"pos_embed.pos_embed"}},
      {"x_embedder.proj.*", {"pos_embed.proj.*"}},
      {"final_layer.linear.*", {"proj_out.*"}},
      {"final_layer.adaLN_modulation.1.*",
       {"norm_out.linear.*"},
       NameRule::kSwapHalves},
      // Of the context nothing but keys and values is used at last.
      {absl::StrCat("joint_blocks.", blocks - 1,
                    ".context_block.adaLN_modulation.1.*"),
       {absl::StrCat("transformer_blocks.", blocks - 1,
                     ".norm1_context.linear.*")},
       NameRule::kSwapHalves}};
  AddEmbedder("t_embedder.mlp.", "0", "2", "timestep_embedder", rules);
  AddEmbedder("y_embedder.mlp.", "0", "2", "text_embedder", rules);
  const std::string theirs = "joint_blocks.#.";
  const std::string ours = "transformer_blocks.#.";
  rules.push_back(Fused(theirs + "x_block.attn.qkv.*", ours + "attn.to_{}.*"));
  rules.push_back(
      Fused(theirs + "x_block.attn2.qkv.*", ours + "attn2.to_{}.*"));
  rules.push_back(
      Fused(theirs + "context_block.attn.qkv.*", ours + "attn.add_{}_proj.*"));
  for (const auto& [original, name] :
       {std::pair("x_block.attn.ln_q.*", "attn.norm_q.*"),
        std::pair("x_block.attn.ln_k.*", "attn.norm_k.*"),
        std::pair("x_block.attn.proj.*", "attn.to_out.0.*"),
        std::pair("x_block.attn2.ln_q.*", "attn2.norm_q.*"),
        std::pair("x_block.attn2.ln_k.*", "attn2.norm_k.*"),
        std::pair("x_block.attn2.proj.*", "attn2.to_out.0.*"),
        std::pair("x_block.mlp.fc1.*", "ff.net.0.proj.*"),
        std::pair("x_block.mlp.fc2.*", "ff.net.2.*"),
        std::pair("x_block.adaLN_modulation.1.*", "norm1.linear.*"),
        std::pair("context_block.attn.ln_q.*", "attn.norm_added_q.*"),
        std::pair("context_block.attn.ln_k.*", "attn.norm_added_k.*"),
        std::pair("context_block.attn.proj.*", "attn.to_add_out.*"),
        std::pair("context_block.mlp.fc1.*", "ff_context.net.0.proj.*"),
        std::pair("context_block.mlp.fc2.*", "ff_context.net.2.*"),
        std::pair("context_block.adaLN_modulation.1.*",
                  "norm1_context.linear.*")}) {
    rules.push_back({theirs + original, {ours + name}});
  }
  return rules;
}

NameRules FluxNames(const Entries& entries) {
  // Width of the transformer, which a single block's fused projection cannot
  // tell.
  int64_t width = 0;
  for (const char* name : {"img_in.bias", "x_embedder.bias"}) {
    const auto found = entries.find(name);
    if (found != entries.end() && !found->second.shape.empty()) {
      width = found->second.shape[0];
    }
  }
  NameRules rules = {{"img_in.*", {"x_embedder.*"}},
                     {"txt_in.*", {"context_embedder.*"}},
                     {"final_layer.linear.*", {"proj_out.*"}},
                     {"final_layer.adaLN_modulation.1.*",
                      {"norm_out.linear.*"},
                      NameRule::kSwapHalves}};
  AddEmbedder("time_in.", "in_layer", "out_layer", "timestep_embedder", rules);
  AddEmbedder("vector_in.", "in_layer", "out_layer", "text_embedder", rules);
  AddEmbedder("guidance_in.", "in_layer", "out_layer", "guidance_embedder",
              rules);
  const std::string theirs = "double_blocks.#.";
  const std::string ours = "transformer_blocks.#.";
  rules.push_back(Fused(theirs + "img_attn.qkv.*", ours + "attn.to_{}.*"));
  rules.push_back(
      Fused(theirs + "txt_attn.qkv.*", ours + "attn.add_{}_proj.*"));
  for (const auto& [original, name] :
       {std::pair("img_attn.norm.query_norm.scale", "attn.norm_q.weight"),
        std::pair("img_attn.norm.key_norm.scale", "attn.norm_k.weight"),
        std::pair("img_attn.proj.*", "attn.to_out.0.*"),
        std::pair("img_mlp.0.*", "ff.net.0.proj.*"),
        std::pair("img_mlp.2.*", "ff.net.2.*"),
        std::pair("img_mod.lin.*", "norm1.linear.*"),
        std::pair("txt_attn.norm.query_norm.scale", "attn.norm_added_q.weight"),
        std::pair("txt_attn.norm.key_norm.scale", "attn.norm_added_k.weight"),
        std::pair("txt_attn.proj.*", "attn.to_add_out.*"),
        std::pair("txt_mlp.0.*", "ff_context.net.0.proj.*"),
        std::pair("txt_mlp.2.*", "ff_context.net.2.*"),
        std::pair("txt_mod.lin.*", "norm1_context.linear.*")}) {
    rules.push_back({theirs + original, {ours + name}});
  }
  const std::string single = "single_transformer_blocks.#.";
  NameRule linear1 =
      Fused("single_blocks.#.linear1.*", single + "attn.to_{}.*");
  linear1.names.push_back(single + "proj_mlp.*");
  linear1.rows = {width, width, width, 0};
  rules.push_back(linear1);
  for (const auto& [original, name] :
       {std::pair("linear2.*", "proj_out.*"),
        std::pair("modulation.lin.*", "norm.linear.*"),
        std::pair("norm.query_norm.scale", "attn.norm_q.weight"),
        std::pair("norm.key_norm.scale", "attn.norm_k.weight")}) {
    rules.push_back(
        {absl::StrCat("single_blocks.#.", original), {single + name}});
  }
  return rules;
}

}  // namespace genzo
