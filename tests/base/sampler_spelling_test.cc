#include "base/sampler_spelling.h"

#include "gmock/gmock.h"

namespace genzo {
namespace {

void ExpectChoice(const std::string& name, v1::Sampler sampler,
                  v1::NoiseSchedule schedule = {}) {
  const auto found = FindSampler(name);
  ASSERT_TRUE(found.has_value()) << name;
  EXPECT_EQ(found->sampler, sampler) << name;
  EXPECT_EQ(found->schedule, schedule) << name;
}

TEST(SamplerSpellingTest, EverySamplerIsFoundByItsProtoNameAndLabelled) {
  const auto* samplers = v1::Sampler_descriptor();
  for (int i = 1; i < samplers->value_count(); ++i) {
    const auto id = static_cast<v1::Sampler>(samplers->value(i)->number());
    ExpectChoice(samplers->value(i)->name().substr(8), id);
    EXPECT_NE(LabelsOf({id}).sampler, "?") << samplers->value(i)->name();
  }
  const auto* schedules = v1::NoiseSchedule_descriptor();
  for (int i = 1; i < schedules->value_count(); ++i) {
    const auto id =
        static_cast<v1::NoiseSchedule>(schedules->value(i)->number());
    EXPECT_EQ(FindSchedule(schedules->value(i)->name().substr(15)), id);
    ExpectChoice("dpmpp_2m_sde_" + schedules->value(i)->name().substr(15),
                 v1::SAMPLER_DPMPP_2M_SDE, id);
  }
}

TEST(SamplerSpellingTest, KnowsWhatOthersCallThem) {
  ExpectChoice("Euler a", v1::SAMPLER_EULER_ANCESTRAL);
  ExpectChoice("euler", v1::SAMPLER_EULER);
  ExpectChoice("DPM++ 2M SDE Karras", v1::SAMPLER_DPMPP_2M_SDE,
               v1::NOISE_SCHEDULE_KARRAS);
  ExpectChoice("DPM++ 2M Align Your Steps", v1::SAMPLER_DPMPP_2M,
               v1::NOISE_SCHEDULE_ALIGN_YOUR_STEPS);
  ExpectChoice("DPM2 a", v1::SAMPLER_DPM2_ANCESTRAL);
  ExpectChoice("DPM++ 2S a Karras", v1::SAMPLER_DPMPP_2S_ANCESTRAL,
               v1::NOISE_SCHEDULE_KARRAS);
  ExpectChoice("sample_dpmpp_2s_ancestral", v1::SAMPLER_DPMPP_2S_ANCESTRAL);
  ExpectChoice("sample_dpm_2", v1::SAMPLER_DPM2);
  ExpectChoice("PLMS", v1::SAMPLER_PNDM);
  ExpectChoice("uni_pc", v1::SAMPLER_UNIPC);
  ExpectChoice("UniPCMultistepScheduler", v1::SAMPLER_UNIPC);
  ExpectChoice("FlowMatchEulerDiscreteScheduler", v1::SAMPLER_FLOW_EULER);
  for (const char* unknown : {"", "karras", "Euler b", "DPM++ 4S"}) {
    EXPECT_FALSE(FindSampler(unknown).has_value()) << unknown;
  }
}

TEST(SamplerSpellingTest, LabelsAreReadBack) {
  for (const v1::Sampler id :
       {v1::SAMPLER_DPMPP_2M, v1::SAMPLER_EULER_ANCESTRAL, v1::SAMPLER_LMS}) {
    const SamplerLabels labels = LabelsOf({id, v1::NOISE_SCHEDULE_KARRAS});
    ExpectChoice(labels.sampler + " " + labels.schedule, id,
                 v1::NOISE_SCHEDULE_KARRAS);
  }
  EXPECT_EQ(LabelsOf({v1::SAMPLER_DPMPP_2M}).schedule, "Uniform")
      << "unless told, the web UI takes Karras";
  EXPECT_EQ(LabelsOf({}).sampler, "?");
}

}  // namespace
}  // namespace genzo
