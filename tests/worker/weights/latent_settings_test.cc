#include "worker/weights/single_file/latent_settings.h"

#include <map>
#include <string>

#include "tests/testing/matchers.h"
#include "tests/testing/tiny_lora.h"

namespace genzo {
namespace {

using nlohmann::json;
using Metadata = std::map<std::string, std::string>;

constexpr char kKey[] = "genzo.latents";

TEST(LatentSettingsTest, AFileSaysWhatIsOtherwiseInItsFamily) {
  const json family = {{"scaling_factor", 0.13025}, {"latent_channels", 2}};
  const json config = {
      {"scaling_factor", 0.5},     {"latents_mean", {-1.5, 2.0}},
      {"latents_std", {8.5, 0.1}}, {"shift_factor", nullptr},
      {"force_upcast", true},      {"norm_num_groups", 16},
      {"latent_channels", 4}};
  Metadata metadata;
  AddLatentSettings(config, family, metadata);
  FixedTensors file;
  file.SetMetadata(kKey, metadata.at(kKey));
  json read = family;
  ASSERT_THAT(ReadLatentSettings(file, read), IsOk());
  EXPECT_EQ(read, json({{"scaling_factor", 0.5},
                        {"latents_mean", {-1.5, 2.0}},
                        {"latents_std", {8.5, 0.1}},
                        {"force_upcast", true},
                        {"norm_num_groups", 16},
                        {"latent_channels", 2}}));
}

// What a class makes of a key that is missing is no difference, and what it
// makes of it where the family says something is one.
TEST(LatentSettingsTest, MissingKeysAreTheClasses) {
  Metadata metadata;
  AddLatentSettings({{"scaling_factor", 0.18215}, {"latents_mean", nullptr}},
                    json::object(), metadata);
  EXPECT_TRUE(metadata.empty());
  AddLatentSettings(json::object(), {{"scaling_factor", 0.13025}}, metadata);
  EXPECT_EQ(metadata[kKey], R"({"scaling_factor":0.18215})");
}

TEST(LatentSettingsTest, OtherKeysAndOtherTextsAreNotTaken) {
  FixedTensors file;
  json config = {{"scaling_factor", 0.13025}};
  const json before = config;
  ASSERT_THAT(ReadLatentSettings(file, config), IsOk());
  file.SetMetadata(kKey, R"({"block_out_channels":[1]})");
  ASSERT_THAT(ReadLatentSettings(file, config), IsOk());
  EXPECT_EQ(config, before);
  for (const char* text : {"", "{", "[0.5]", "0.5"}) {
    file.SetMetadata(kKey, text);
    EXPECT_THAT(
        ReadLatentSettings(file, config),
        StatusIs(kInvalid, "test: metadata genzo.latents is not a JSON object"))
        << text;
  }
}

}  // namespace
}  // namespace genzo
