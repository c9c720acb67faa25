#include "absl/strings/str_cat.h"
#include "worker/weights/single_file/original_names.h"

namespace genzo {
namespace {

// The tables for modules, put together for those that a network has.
class UNetTable {
 public:
  explicit UNetTable(const Entries& entries) : entries_(entries) {
    Add("time_embed.0", "time_embedding.linear_1");
    Add("time_embed.2", "time_embedding.linear_2");
    Add("time_embed.cond_proj", "time_embedding.cond_proj");  // LCM
    // SDXL's sizes have no attention at full resolution beside it; the others
    // have a class embedding here.
    const bool added = AnyBegins(entries, "add_embedding.") ||
                       (AnyBegins(entries, "label_emb.0.") &&
                        !AnyBegins(entries, "input_blocks.1.1."));
    const char* embedding = added ? "add_embedding" : "class_embedding";
    Add("label_emb.0.0", absl::StrCat(embedding, ".linear_1"));
    Add("label_emb.0.2", absl::StrCat(embedding, ".linear_2"));
    Add("label_emb.0.0", "add_embedding.linear_1");
    Add("label_emb.0.2", "add_embedding.linear_2");
    Add("label_emb", "class_embedding");
    Add("input_blocks.0.0", "conv_in");
    Add("out.0", "conv_norm_out");
    Add("out.2", "conv_out");
  }

  void Add(const std::string& original, const std::string& name) {
    rules_.push_back(
        {absl::StrCat(original, ".*"), {absl::StrCat(name, ".*")}});
  }

  void AddResnet(const std::string& original, const std::string& name) {
    for (const auto& [theirs, ours] :
         {std::pair("in_layers.0", "norm1"), std::pair("in_layers.2", "conv1"),
          std::pair("emb_layers.1", "time_emb_proj"),
          std::pair("out_layers.0", "norm2"),
          std::pair("out_layers.3", "conv2"),
          std::pair("skip_connection", "conv_shortcut")}) {
      Add(absl::StrCat(original, ".", theirs), absl::StrCat(name, ".", ours));
    }
  }

  bool Has(const std::string& original) const {
    return AnyBegins(entries_, absl::StrCat(original, "."));
  }

  NameRules rules() && { return std::move(rules_); }

 private:
  const Entries& entries_;
  NameRules rules_;
};

// From the original names alone: a block is a list of modules, numbered through
// all resolutions.
void WalkOriginal(UNetTable& table, const Entries& entries) {
  int64_t level = 0;
  int64_t index = 0;
  const int64_t inputs = CountBlocks(entries, "input_blocks.");
  for (int64_t i = 1; i < inputs; ++i) {
    const std::string block = absl::StrCat("input_blocks.", i);
    if (table.Has(absl::StrCat(block, ".0.op"))) {
      table.Add(absl::StrCat(block, ".0.op"),
                absl::StrCat("down_blocks.", level++, ".downsamplers.0.conv"));
      index = 0;
      continue;
    }
    const std::string down = absl::StrCat("down_blocks.", level);
    table.AddResnet(absl::StrCat(block, ".0"),
                    absl::StrCat(down, ".resnets.", index));
    table.Add(absl::StrCat(block, ".1"),
              absl::StrCat(down, ".attentions.", index++));
  }
  int64_t resnets = 0;
  int64_t attentions = 0;
  const int64_t middles = CountBlocks(entries, "middle_block.");
  for (int64_t i = 0; i < middles; ++i) {
    const std::string block = absl::StrCat("middle_block.", i);
    if (table.Has(absl::StrCat(block, ".in_layers"))) {
      table.AddResnet(block, absl::StrCat("mid_block.resnets.", resnets++));
    } else {
      table.Add(block, absl::StrCat("mid_block.attentions.", attentions++));
    }
  }
  level = 0;
  index = 0;
  const int64_t outputs = CountBlocks(entries, "output_blocks.");
  for (int64_t i = 0; i < outputs; ++i) {
    const std::string block = absl::StrCat("output_blocks.", i);
    const std::string up = absl::StrCat("up_blocks.", level);
    table.AddResnet(absl::StrCat(block, ".0"),
                    absl::StrCat(up, ".resnets.", index));
    bool ends = false;
    for (const char* module : {".1", ".2"}) {
      if (table.Has(absl::StrCat(block, module, ".conv"))) {
        table.Add(absl::StrCat(block, module, ".conv"),
                  absl::StrCat(up, ".upsamplers.0.conv"));
        ends = true;
      } else if (table.Has(absl::StrCat(block, module))) {
        table.Add(absl::StrCat(block, module),
                  absl::StrCat(up, ".attentions.", index));
      }
    }
    ++index;
    if (ends) {
      ++level;
      index = 0;
    }
  }
}

// The same walk from diffusers' names.
void WalkDiffusers(UNetTable& table, const Entries& entries) {
  int64_t number = 1;
  const int64_t downs = CountBlocks(entries, "down_blocks.");
  for (int64_t level = 0; level < downs; ++level) {
    const std::string down = absl::StrCat("down_blocks.", level);
    const int64_t resnets =
        CountBlocks(entries, absl::StrCat(down, ".resnets."));
    for (int64_t i = 0; i < resnets; ++i, ++number) {
      const std::string block = absl::StrCat("input_blocks.", number);
      table.AddResnet(absl::StrCat(block, ".0"),
                      absl::StrCat(down, ".resnets.", i));
      table.Add(absl::StrCat(block, ".1"),
                absl::StrCat(down, ".attentions.", i));
    }
    if (table.Has(absl::StrCat(down, ".downsamplers"))) {
      table.Add(absl::StrCat("input_blocks.", number++, ".0.op"),
                absl::StrCat(down, ".downsamplers.0.conv"));
    }
  }
  int64_t module = 0;
  const int64_t middles = CountBlocks(entries, "mid_block.resnets.");
  for (int64_t i = 0; i < middles; ++i) {
    table.AddResnet(absl::StrCat("middle_block.", module++),
                    absl::StrCat("mid_block.resnets.", i));
    const std::string attention = absl::StrCat("mid_block.attentions.", i);
    if (!table.Has(attention)) continue;
    table.Add(absl::StrCat("middle_block.", module++), attention);
  }
  number = 0;
  const int64_t ups = CountBlocks(entries, "up_blocks.");
  for (int64_t level = 0; level < ups; ++level) {
    const std::string up = absl::StrCat("up_blocks.", level);
    const int64_t resnets = CountBlocks(entries, absl::StrCat(up, ".resnets."));
    for (int64_t i = 0; i < resnets; ++i, ++number) {
      const std::string block = absl::StrCat("output_blocks.", number);
      const std::string attention = absl::StrCat(up, ".attentions.", i);
      table.AddResnet(absl::StrCat(block, ".0"),
                      absl::StrCat(up, ".resnets.", i));
      const bool attends = table.Has(attention);
      if (attends) table.Add(absl::StrCat(block, ".1"), attention);
      if (i + 1 == resnets) {
        table.Add(absl::StrCat(block, attends ? ".2" : ".1", ".conv"),
                  absl::StrCat(up, ".upsamplers.0.conv"));
      }
    }
  }
}

}  // namespace

NameRules UNetNames(const Entries& entries) {
  UNetTable table(entries);
  if (AnyBegins(entries, "input_blocks.")) {
    WalkOriginal(table, entries);
  } else {
    WalkDiffusers(table, entries);
  }
  return std::move(table).rules();
}

}  // namespace genzo
