// Save a run anywhere, restore it anywhere, and the bits are the same.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "ATen/ops/zeros.h"
#include "absl/strings/str_cat.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/sampler/walks.h"

namespace genzo {
namespace {

constexpr char kFolderVariable[] = "GENZO_SAVED_WALKS";
constexpr int kChildsSteps = 7;

std::string Bytes(const SamplerRun& run) {
  SamplerState state;
  run.Save(state);
  return state.Serialize();
}

absl::Status RestoreBytes(const std::string& bytes, SamplerRun& run) {
  const auto state = SamplerState::Parse(bytes);
  return state.ok() ? run.Restore(*state) : state.status();
}

TEST(SavedWalkTest, GoesOnWithTheSameBitsFromAnyEvaluation) {
  for (const int steps : {5, 7, 13}) {
    for (const Walk& walk : Walks(steps)) {
      SCOPED_TRACE(walk.name);
      const auto whole = walk.create();
      Finish(*whole);
      for (int done = 0; done <= whole->progress().evaluations; ++done) {
        const auto first = walk.create();
        WalkUntil(*first, done);
        const auto second = walk.create();
        ASSERT_THAT(RestoreBytes(Bytes(*first), *second), IsOk()) << done;
        EXPECT_EQ(second->progress().evaluations_done, done);
        if (done > 0) {
          EXPECT_THAT(second->denoised(), TensorEquals(first->denoised()));
        }
        Finish(*second);
        ASSERT_THAT(second->latent(), TensorEquals(whole->latent())) << done;
      }
    }
  }
}

TEST(SavedWalkTest, ASavedStateIsNotMovedByTheRun) {
  for (const Walk& walk : Walks(5)) {
    const auto run = walk.create();
    WalkUntil(*run, 2);
    SamplerState state;
    run->Save(state);
    const std::string bytes = state.Serialize();
    Finish(*run);
    EXPECT_EQ(state.Serialize(), bytes) << walk.name;
  }
}

TEST(SavedWalkTest, RestoringGoesBackInTheSameRun) {
  for (const Walk& walk : Walks(5)) {
    const auto run = walk.create();
    WalkUntil(*run, 2);
    const std::string bytes = Bytes(*run);
    Finish(*run);
    const at::Tensor end = run->latent();
    ASSERT_THAT(RestoreBytes(bytes, *run), IsOk()) << walk.name;
    Finish(*run);
    EXPECT_THAT(run->latent(), TensorEquals(end)) << walk.name;
  }
}

// What the parent of the next test starts; it has no meaning without it.
TEST(SavedWalkTest, DISABLED_Child) {
  const char* const folder = std::getenv(kFolderVariable);
  ASSERT_NE(folder, nullptr);
  const std::vector<Walk> walks = Walks(kChildsSteps);
  for (size_t i = 0; i < walks.size(); ++i) {
    const std::string path = absl::StrCat(folder, "/", i);
    const auto run = walks[i].create();
    ASSERT_THAT(RestoreBytes(ReadFile(path), *run), IsOk()) << walks[i].name;
    Finish(*run);
    std::ofstream(path + ".end", std::ios::binary) << Bytes(*run);
  }
}

TEST(SavedWalkTest, GoesOnInAnotherProcess) {
  const TestFolder folder;
  const std::vector<Walk> walks = Walks(kChildsSteps);
  for (size_t i = 0; i < walks.size(); ++i) {
    const auto run = walks[i].create();
    WalkUntil(*run, 3);
    folder.Write(absl::StrCat(i), Bytes(*run));
  }

  ASSERT_EQ(setenv(kFolderVariable, folder.path().c_str(), /*overwrite=*/1), 0);
  std::string program = "/proc/self/exe";
  std::string filter = "--gtest_filter=SavedWalkTest.DISABLED_Child";
  std::string disabled = "--gtest_also_run_disabled_tests";
  char* const arguments[] = {program.data(), filter.data(), disabled.data(),
                             nullptr};
  pid_t child = 0;
  ASSERT_EQ(posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments,
                        environ),
            0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);

  for (size_t i = 0; i < walks.size(); ++i) {
    const auto run = walks[i].create();
    Finish(*run);
    EXPECT_EQ(ReadFile(absl::StrCat(folder.path(), "/", i, ".end")),
              Bytes(*run))
        << walks[i].name;
  }
}

TEST(SavedWalkTest, NamesWhatDoesNotFit) {
  const auto create = [](SamplerId id, int steps, uint64_t seed = 3) {
    return *CreateSampler(id, SigmaSchedule::kDefault, StableDiffusion(),
                          {.steps = steps}, FromNoise(seed));
  };
  const auto pndm = create(v1::SAMPLER_PNDM, 5);
  WalkUntil(*pndm, 3);
  const std::string bytes = Bytes(*pndm);
  EXPECT_THAT(RestoreBytes(bytes, *create(v1::SAMPLER_DDIM, 5)),
              StatusIs(kInvalid, "sampler is \"pndm\", not ddim"));
  EXPECT_THAT(RestoreBytes(bytes, *create(v1::SAMPLER_PNDM, 6)),
              StatusIs(kInvalid, "timesteps"));
  EXPECT_THAT(RestoreBytes(bytes, *create(v1::SAMPLER_PNDM, 5, 8)),
              StatusIs(kInvalid, "seed 3 is not the source's, 8"));

  const auto faulty = [&](const auto& change) {
    SamplerState state = *SamplerState::Parse(bytes);
    change(state);
    return create(v1::SAMPLER_PNDM, 5)->Restore(state);
  };
  EXPECT_THAT(
      faulty([](auto& state) { state.SetInteger("evaluations_done", 7); }),
      StatusIs(kInvalid, "evaluations_done 7 is not between 0 and 6"));
  EXPECT_THAT(
      faulty([](auto& state) { state.SetInteger("evaluations_done", 4); }),
      StatusIs(kInvalid, "history.2 is missing"));
  EXPECT_THAT(faulty([](auto& state) {
                state.SetTensor("latent", at::zeros({1, 4, 8, 9}));
              }),
              StatusIs(kInvalid, "latent"));
  EXPECT_THAT(faulty([](auto& state) {
                state.SetTensor("step_sample", at::zeros({1}));
              }),
              StatusIs(kInvalid, "step_sample"));
  EXPECT_THAT(faulty([](auto& state) { state.SetText("noise", "?"); }),
              StatusIs(kInvalid, "noise state"));
}

}  // namespace
}  // namespace genzo
