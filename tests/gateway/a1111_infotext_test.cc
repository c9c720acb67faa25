#include "gateway/a1111_infotext.h"

#include <string>

#include "gtest/gtest.h"

namespace genzo {
namespace {

using nlohmann::json;

// What `text` says, without what is meant where it says nothing.
json Said(const std::string& text) {
  json said = ReadInfotext(text);
  const json silent = ReadInfotext("");
  for (const auto& [name, value] : silent.items()) {
    if (said[name] == value) said.erase(name);
  }
  return said;
}

// As worker/media's image_parameters.h writes it.
TEST(InfotextTest, ReadsWhatOurPicturesSay) {
  EXPECT_EQ(
      Said("a fox <lora:ink:0.8>\nNegative prompt: snow\nSteps: 20, Sampler: "
           "Euler a, Schedule type: Karras, CFG scale: 7.5, Seed: 5, Size: "
           "64x48, Model: emaki, Clip skip: 2, RNG: CPU"),
      json({{"Prompt", "a fox <lora:ink:0.8>"},
            {"Negative prompt", "snow"},
            {"Steps", "20"},
            {"Sampler", "Euler a"},
            {"Schedule type", "Karras"},
            {"CFG scale", "7.5"},
            {"Seed", "5"},
            {"Size-1", "64"},
            {"Size-2", "48"},
            {"Model", "emaki"},
            {"Clip skip", "2"},
            {"RNG", "CPU"}}));
}

TEST(InfotextTest, APromptMayHaveSeveralLines) {
  EXPECT_EQ(Said(" a\n b: c \n\nNegative prompt:d\ne\nAB: 1, CD: 2, EF: 3"),
            json({{"Prompt", "a\nb: c\n"},
                  {"Negative prompt", "d\ne"},
                  {"AB", "1"},
                  {"CD", "2"},
                  {"EF", "3"}}));
}

// Of fewer than three values the last line is prompt.
TEST(InfotextTest, ALineOfFewValuesIsText) {
  EXPECT_EQ(Said("a\nSteps: 20, Seed: 5"),
            json({{"Prompt", "a\nSteps: 20, Seed: 5"}}));
  EXPECT_EQ(Said("a"), json({{"Prompt", "a"}}));
  EXPECT_EQ(Said(" \n"), json::object());
}

TEST(InfotextTest, WhatIsInQuotesIsOneValue) {
  const auto value = [](const std::string& written) {
    return Said("a\nAB: 1, CD: " + written + ", EF: 3")["CD"];
  };
  EXPECT_EQ(value(R"("b, c: \"d\"\n")"), "b, c: \"d\"\n");
  EXPECT_EQ(value(R"("64x48")"), nullptr) << "CD-1, CD-2";
  EXPECT_EQ(value(R"("\q, r")"), R"("\q, r")") << "not JSON's";
  // Nothing behind it but a comma.
  EXPECT_EQ(value(R"("b" c)"), R"("b" c)");
  EXPECT_EQ(value(R"("b)"), R"("b)");
  EXPECT_EQ(value(R"("")"), "");
}

TEST(InfotextTest, WhatIsNoNameWithAValueIsPassedOver) {
  EXPECT_EQ(Said("a\nAB: 1, ?, CD, x: y, E F-g/h: 2,, IJ:3, KL: , MN: 4"),
            json({{"Prompt", "a"},
                  {"AB", "1"},
                  {"E F-g/h", "2"},
                  {"IJ", "3"},
                  {"MN", "4"}}));
}

TEST(InfotextTest, WhatIsLeftOutIsA1111sDefault) {
  const json silent = ReadInfotext("");
  EXPECT_EQ(silent["Prompt"], "");
  EXPECT_EQ(silent["Clip skip"], "1");
  EXPECT_EQ(silent["RNG"], "GPU");
  EXPECT_EQ(silent["Hires resize-1"], 0);
}

}  // namespace
}  // namespace genzo
