#include "worker/weights/torch_file/unpickler.h"

#include <random>

#include "tests/testing/matchers.h"
#include "tests/tools/tool/torch_archive.h"

namespace genzo {
namespace {

PickleBuilder Sound() {
  PickleBuilder tensor;
  tensor.Tensor("0", 6, 0, {2, 3}, {3, 1});
  return tensor;
}

absl::Status Read(const std::string& pickle) {
  return ReadPickledTensors(pickle).status();
}

TEST(UnpicklerTest, ReadsATensor) {
  const auto tensors = ReadPickledTensors(PickleBuilder::Dict("a.w", Sound()));
  ASSERT_THAT(tensors, IsOk());
  ASSERT_EQ(tensors->size(), 1u);
  const PickledTensor& tensor = tensors->at("a.w");
  EXPECT_EQ(tensor.storage_key, "0");
  EXPECT_EQ(tensor.dtype, at::kFloat);
  EXPECT_EQ(tensor.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(tensor.strides, (std::vector<int64_t>{3, 1}));
}

TEST(UnpicklerTest, AStateDictIsWhatTheFileIsAbout) {
  PickleBuilder inner;
  inner.Raw("}").Text("w").Raw(Sound().bytes()).Raw("s");
  PickleBuilder all;
  all.Raw("\x80\x02}(").Text("other").Raw(Sound().bytes());
  all.Text("state_dict").Raw(inner.bytes()).Text("epoch").Int(3).Raw("u.");
  const auto tensors = ReadPickledTensors(all.bytes());
  ASSERT_THAT(tensors, IsOk());
  EXPECT_EQ(tensors->size(), 1u);
  EXPECT_EQ(tensors->count("w"), 1u);
}

TEST(UnpicklerTest, WhatCallsAProgramIsNamed) {
  PickleBuilder attack;
  attack.Global("posix", "system").Text("id").Raw("\x85R");
  EXPECT_THAT(Read(PickleBuilder::Dict("a", attack)),
              StatusIs(kInvalid, "names \"posix system\", which is neither"));
  PickleBuilder modern;
  modern.Text("builtins").Text("eval").Raw("\x93");
  EXPECT_THAT(Read(PickleBuilder::Dict("a", modern)),
              StatusIs(kInvalid, "names \"builtins eval\""));
  // Functions that are known may be called in one way alone.
  PickleBuilder odd;
  odd.Global("collections", "OrderedDict").Text("x").Raw("\x85R");
  EXPECT_THAT(Read(PickleBuilder::Dict("a", odd)),
              StatusIs(kInvalid, "calls \"collections OrderedDict\" in"));
  PickleBuilder storage;
  storage.Global("torch", "FloatStorage").Raw(")R");
  EXPECT_THAT(Read(PickleBuilder::Dict("a", storage)),
              StatusIs(kInvalid, "calls \"torch FloatStorage\""));
}

TEST(UnpicklerTest, EveryOtherInstructionIsNamed) {
  // INST, OBJ, NEWOBJ, EXT1, PERSID, BUILD of no dictionary.
  for (const char* code : {"iposix\nsystem\n", "o", "\x81", "\x82", "P1\n"}) {
    EXPECT_THAT(Read(std::string("\x80\x02") + code),
                StatusIs(kInvalid, "pickle, byte 2: instruction "));
  }
  EXPECT_THAT(Read("\x80\x02K\x01K\x02"
                   "b."),
              StatusIs(kInvalid, "a dictionary is not what is on top"));
}

TEST(UnpicklerTest, TensorsStayInTheirStorage) {
  const auto read = [](int32_t elements, int32_t offset,
                       const std::vector<int32_t>& shape,
                       const std::vector<int32_t>& strides) {
    PickleBuilder tensor;
    tensor.Tensor("0", elements, offset, shape, strides);
    return Read(PickleBuilder::Dict("a", tensor));
  };
  EXPECT_THAT(read(6, 0, {2, 3}, {1, 2}), IsOk());
  EXPECT_THAT(read(6, 1, {2, 3}, {3, 1}), StatusIs(kInvalid, "ends behind"));
  EXPECT_THAT(read(6, 0, {7}, {1}), StatusIs(kInvalid, "ends behind"));
  EXPECT_THAT(read(6, 0, {2147483647, 2147483647, 2147483647}, {1, 1, 1}),
              StatusIs(kInvalid, "ends behind"));
  EXPECT_THAT(read(6, 0, {1000000}, {0}), StatusIs(kInvalid, "ends behind"));
  EXPECT_THAT(read(6, -1, {2}, {1}),
              StatusIs(kInvalid, "a shape that is none"));
  EXPECT_THAT(read(6, 0, {-2}, {1}),
              StatusIs(kInvalid, "a shape that is none"));
  EXPECT_THAT(read(6, 0, {2}, {}), StatusIs(kInvalid, "a shape that is none"));
  EXPECT_THAT(read(-6, 0, {0}, {1}), StatusIs(kInvalid, "no type, size"));
}

TEST(UnpicklerTest, RingsEnd) {
  // A dictionary that holds itself.
  PickleBuilder ring;
  ring.Raw("\x80\x02}q").Raw(std::string(1, '\0')).Text("a").Raw("h");
  ring.Raw(std::string(1, '\0')).Raw("s.");
  EXPECT_THAT(Read(ring.bytes()), StatusIs(kInvalid, "nested too deep"));
}

TEST(UnpicklerTest, ManyValuesAreRefused) {
  EXPECT_THAT(Read(std::string(3 << 20, 'N')),
              StatusIs(kInvalid, "more than 1048576 values"));
  EXPECT_THAT(Read("\x80\x02}q" + std::string(1, '\0') +
                   [] {
                     std::string recalls;
                     for (int i = 0; i < 2 << 20; ++i) {
                       recalls += std::string("h\0", 2);
                     }
                     return recalls;
                   }()),
              StatusIs(kInvalid, "fills its stack"));
}

TEST(UnpicklerTest, EveryTruncationIsRefused) {
  const std::string sound = PickleBuilder::Dict("a", Sound());
  for (size_t size = 0; size < sound.size(); ++size) {
    EXPECT_THAT(Read(sound.substr(0, size)), StatusIs(kInvalid, "pickle"));
  }
}

TEST(UnpicklerTest, FlippedBitsLeadNowhere) {
  const std::string sound = PickleBuilder::Dict("a", Sound());
  std::mt19937 random(/*seed=*/3);
  for (int i = 0; i < 20000; ++i) {
    std::string pickle = sound;
    for (uint32_t flips = 1 + random() % 4; flips > 0; --flips) {
      const size_t byte = random() % pickle.size();
      pickle[byte] = static_cast<char>(pickle[byte] ^ (1 << random() % 8));
    }
    const auto tensors = ReadPickledTensors(pickle);
    if (!tensors.ok()) continue;
    for (const auto& [name, tensor] : *tensors) {
      int64_t elements = 1;
      for (const int64_t size : tensor.shape) elements *= size;
      EXPECT_LE(elements, tensor.storage_elements);
    }
  }
}

}  // namespace
}  // namespace genzo
