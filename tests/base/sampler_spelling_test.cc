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

// The menus of A1111 1.10, and what diffusers calls the same.
TEST(SamplerSpellingTest, ANameThatBeginsWithAnotherIsItsOwn) {
  ExpectChoice("DPM++ 2M SDE Heun Karras", v1::SAMPLER_DPMPP_2M_SDE_HEUN,
               v1::NOISE_SCHEDULE_KARRAS);
  EXPECT_EQ(LabelsOf({v1::SAMPLER_DPMPP_2M_SDE_HEUN}).sampler,
            "DPM++ 2M SDE Heun");
}

TEST(SamplerSpellingTest, EverySpellingOfTheFieldIsAccepted) {
  const std::pair<v1::Sampler, std::vector<std::string>> samplers[] = {
      {v1::SAMPLER_DDIM,
       {"DDIM", "ddim", "DDIMScheduler", "DDIMParallelScheduler"}},
      {v1::SAMPLER_PNDM, {"PLMS", "plms", "PNDMScheduler"}},
      {v1::SAMPLER_EULER, {"Euler", "k_euler", "EulerDiscreteScheduler"}},
      {v1::SAMPLER_EULER_ANCESTRAL,
       {"Euler a", "k_euler_a", "EulerAncestralDiscreteScheduler"}},
      {v1::SAMPLER_LMS, {"LMS", "k_lms", "LMSDiscreteScheduler"}},
      {v1::SAMPLER_HEUN, {"Heun", "k_heun", "HeunDiscreteScheduler"}},
      {v1::SAMPLER_DPM2, {"DPM2", "k_dpm_2", "KDPM2DiscreteScheduler"}},
      {v1::SAMPLER_DPM2_ANCESTRAL,
       {"DPM2 a", "k_dpm_2_a", "KDPM2AncestralDiscreteScheduler"}},
      {v1::SAMPLER_DPMPP_2S_ANCESTRAL, {"DPM++ 2S a", "k_dpmpp_2s_a"}},
      {v1::SAMPLER_DPMPP_2M,
       {"DPM++ 2M", "k_dpmpp_2m", "DPMSolverMultistepScheduler",
        "EDMDPMSolverMultistepScheduler"}},
      {v1::SAMPLER_DPMPP_2S, {"DPM++ 2S", "DPMSolverSinglestepScheduler"}},
      {v1::SAMPLER_DPMPP_SDE,
       {"DPM++ SDE", "k_dpmpp_sde", "DPMSolverSDEScheduler"}},
      {v1::SAMPLER_DPMPP_2M_SDE, {"DPM++ 2M SDE", "k_dpmpp_2m_sde"}},
      {v1::SAMPLER_DPMPP_2M_SDE_HEUN,
       {"DPM++ 2M SDE Heun", "k_dpmpp_2m_sde_heun"}},
      {v1::SAMPLER_DPMPP_3M_SDE, {"DPM++ 3M SDE", "k_dpmpp_3m_sde"}},
      {v1::SAMPLER_UNIPC, {"UniPC", "unipc", "UniPCMultistepScheduler"}},
      {v1::SAMPLER_DEIS, {"DEIS", "DEISMultistepScheduler"}},
      {v1::SAMPLER_LCM, {"LCM", "lcm", "LCMScheduler"}},
      {v1::SAMPLER_TCD, {"TCD", "TCDScheduler"}},
      {v1::SAMPLER_DDPM, {"DDPM", "DDPMScheduler", "DDPMParallelScheduler"}},
      {v1::SAMPLER_SCORE_VE, {"ScoreSdeVeScheduler"}},
      {v1::SAMPLER_SCORE_VP, {"ScoreSdeVpScheduler"}},
      {v1::SAMPLER_FLOW_EULER, {"FlowMatchEulerDiscreteScheduler"}},
      {v1::SAMPLER_FLOW_HEUN, {"FlowMatchHeunDiscreteScheduler"}}};
  for (const auto& [sampler, names] : samplers) {
    for (const std::string& name : names) ExpectChoice(name, sampler);
  }
  const std::pair<v1::NoiseSchedule, std::vector<std::string>> schedules[] = {
      {v1::NOISE_SCHEDULE_UNSPECIFIED,
       {"Automatic", "automatic", "Uniform", "uniform", "Normal"}},
      {v1::NOISE_SCHEDULE_KARRAS, {"Karras", "karras", "use_karras_sigmas"}},
      {v1::NOISE_SCHEDULE_EXPONENTIAL,
       {"Exponential", "use_exponential_sigmas"}},
      {v1::NOISE_SCHEDULE_BETA, {"Beta", "beta", "use_beta_sigmas"}},
      {v1::NOISE_SCHEDULE_SGM_UNIFORM, {"SGM Uniform", "sgm_uniform"}},
      {v1::NOISE_SCHEDULE_SIMPLE, {"Simple", "simple"}},
      {v1::NOISE_SCHEDULE_DDIM_UNIFORM, {"DDIM", "ddim", "ddim_uniform"}},
      {v1::NOISE_SCHEDULE_ALIGN_YOUR_STEPS,
       {"Align Your Steps", "align_your_steps", "AYS"}}};
  for (const auto& [schedule, names] : schedules) {
    for (const std::string& name : names) {
      EXPECT_EQ(FindSchedule(name), schedule) << name;
      ExpectChoice("DPM++ 2M SDE " + name, v1::SAMPLER_DPMPP_2M_SDE, schedule);
    }
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
