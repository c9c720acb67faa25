#include "base/lora_catalog.h"

#include "absl/strings/str_cat.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr auto kNotFound = absl::StatusCode::kNotFound;

v1::Lora Named(const std::string& name) {
  v1::Lora lora;
  lora.set_name(name);
  lora.set_family("sd1");
  return lora;
}

std::vector<std::string> NamesOf(const std::vector<v1::Lora>& loras) {
  std::vector<std::string> names;
  for (const v1::Lora& lora : loras) names.push_back(lora.name());
  return names;
}

TEST(LoraCatalogTest, WhatNobodyTriedMayBeAskedFor) {
  LoraCatalog catalog;
  catalog.Put(Named("ink"));
  EXPECT_THAT(catalog.Check("ink", "emaki"), IsOk());
  EXPECT_THAT(catalog.List("emaki"), IsEmpty()) << "but is not promised";
}

TEST(LoraCatalogTest, AnUnknownNameGetsTheKnownOnes) {
  LoraCatalog catalog;
  EXPECT_THAT(catalog.Check("x", "emaki"), StatusIs(kNotFound, "it has none"));
  catalog.Put(Named("b"));
  catalog.Put(Named("a"));
  EXPECT_THAT(
      catalog.Check("x", "emaki"),
      StatusIs(kNotFound, "\"x\" is not one of this server's adapters: a, b"));
}

TEST(LoraCatalogTest, AMessageListsTwentyNamesAtMost) {
  LoraCatalog catalog;
  for (int i = 10; i < 40; ++i) catalog.Put(Named(absl::StrCat("n", i)));
  const absl::Status status = catalog.Check("x", "");
  EXPECT_THAT(status, StatusIs(kNotFound, "n29, ..."));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("n30")));
}

TEST(LoraCatalogTest, AMessageShowsAHundredBytesOfABadName) {
  const LoraCatalog catalog;
  const absl::Status status =
      catalog.Check(std::string(100, 'a') + std::string(5000, 'b'), "");
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("aaa\""), Not(HasSubstr("b\""))));
}

TEST(LoraCatalogTest, AModelThatDoesNotTakeItIsNamedWithTheReason) {
  LoraCatalog catalog;
  catalog.Put(Named("ink"));
  catalog.SetFit("ink", "xl", absl::InvalidArgumentError("no layer \"q\""));
  EXPECT_THAT(catalog.Check("ink", "xl"),
              StatusIs(kInvalid,
                       "\"ink\", of family sd1, does not fit model "
                       "\"xl\": no layer \"q\""));
  EXPECT_THAT(catalog.Check("ink", "emaki"), IsOk());
}

v1::LoraUse MidBlockOff(const std::string& name) {
  v1::LoraUse lora;
  lora.set_name(name);
  lora.set_weight(1);
  lora.add_block_weights()->set_block("mid_block");
  return lora;
}

TEST(LoraCatalogTest, BlocksAreComparedWithWhatItChangesInThatModel) {
  LoraCatalog catalog;
  for (const char* name : {"ink", "sand", "wool"}) {
    catalog.Put(Named(name));
    catalog.SetFit(name, "emaki", absl::OkStatus(),
                   {.denoiser = {"mid_block.a"}});
  }
  catalog.SetFit("ink", "xl", absl::OkStatus(),
                 {.denoiser = {"conv_in", "mid_block.a"}});
  for (const char* name : {"ink", "sand", "wool"}) {
    EXPECT_THAT(catalog.CheckBlocks(MidBlockOff(name), "emaki"),
                StatusIs(kInvalid, "leave nothing"));
  }
  EXPECT_THAT(catalog.CheckBlocks(MidBlockOff("ink"), "xl"), IsOk());
  EXPECT_THAT(catalog.CheckBlocks(MidBlockOff("sand"), "xl"), IsOk());
  EXPECT_THAT(catalog.CheckBlocks(MidBlockOff("x"), "emaki"), IsOk());
  catalog.RemoveModel("emaki");
  EXPECT_THAT(catalog.CheckBlocks(MidBlockOff("ink"), "emaki"), IsOk());
}

TEST(LoraCatalogTest, AFileThatIsNotSoundFitsNowhere) {
  LoraCatalog catalog;
  catalog.Put(Named("ink"));
  catalog.SetFit("ink", "emaki", absl::OkStatus());
  catalog.Fail("ink", absl::DataLossError("is cut"));
  EXPECT_THAT(catalog.Check("ink", "emaki"),
              StatusIs(kInvalid, "\"ink\" cannot be used: is cut"));
  EXPECT_THAT(catalog.List("emaki"), IsEmpty());
}

TEST(LoraCatalogTest, AllAreListedWithTheirErrors) {
  LoraCatalog catalog;
  catalog.Put(Named("b"));
  catalog.Put(Named("a"));
  catalog.Fail("b", absl::DataLossError("is cut"));
  const auto all = catalog.List();
  EXPECT_THAT(NamesOf(all), ElementsAre("a", "b"));
  EXPECT_FALSE(all[0].has_error());
  EXPECT_EQ(all[1].error().message(), "is cut");
}

TEST(LoraCatalogTest, AListNamesTheModelsThatTakeIt) {
  LoraCatalog catalog;
  catalog.Put(Named("ink"));
  catalog.SetFit("ink", "z", absl::OkStatus());
  catalog.SetFit("ink", "a", absl::OkStatus());
  catalog.SetFit("ink", "xl", absl::InvalidArgumentError("no"));
  EXPECT_THAT(catalog.List()[0].models(), ElementsAre("a", "z"));
  EXPECT_THAT(NamesOf(catalog.List("z")), ElementsAre("ink"));
  EXPECT_THAT(catalog.List("xl"), IsEmpty());
}

TEST(LoraCatalogTest, ANewFileForgetsWhatWasKnownOfTheOld) {
  LoraCatalog catalog;
  catalog.Put(Named("ink"));
  catalog.SetFit("ink", "xl", absl::InvalidArgumentError("no"));
  catalog.Fail("ink", absl::DataLossError("is cut"));
  catalog.Put(Named("ink"));
  EXPECT_THAT(catalog.Check("ink", "xl"), IsOk());
  EXPECT_FALSE(catalog.List()[0].has_error());
}

TEST(LoraCatalogTest, WhatIsGoneIsUnknown) {
  LoraCatalog catalog;
  catalog.Put(Named("ink"));
  catalog.Remove("ink");
  catalog.Remove("ink");
  EXPECT_THAT(catalog.Check("ink", ""), StatusIs(kNotFound, "ink"));
}

TEST(LoraCatalogTest, NewsOfWhatIsGoneDoNotBringItBack) {
  LoraCatalog catalog;
  catalog.Fail("ink", absl::DataLossError("is cut"));
  catalog.SetFit("ink", "emaki", absl::OkStatus());
  EXPECT_THAT(catalog.List(), IsEmpty());
}

}  // namespace
}  // namespace genzo
