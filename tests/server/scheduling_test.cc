// Tenants, deadlines, devices and models, through real clients and a server.

#include <fstream>

#include "ATen/ops/zeros.h"
#include "nlohmann/json.hpp"
#include "tests/server/registry.h"
#include "tests/testing/matchers.h"
#include "tests/testing/pictures.h"
#include "tests/testing/server.h"
#include "worker/kernels/winograd.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;
using v1::GenerateRequest;
using v1::JobEvent;

GenerateRequest Fox(uint32_t steps) {
  GenerateRequest request;
  request.set_prompt("a red fox");
  request.set_seed(7);
  request.set_steps(steps);
  request.set_sampler(v1::SAMPLER_DDIM);
  return request;
}

TEST(SchedulingTest, ADeadlineThatCannotBeMetIsRefusedAtOnce) {
  const Server server(TinyConfig());
  GenerateRequest request = Fox(150);
  request.set_image_count(8);
  request.mutable_time_limit()->set_nanos(50'000'000);  // of the server alone
  Call call(server, request);
  EXPECT_TRUE(call.Rest().empty());
  EXPECT_EQ(call.status().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(call.reason(), "DEADLINE_UNREACHABLE");
  EXPECT_EQ(call.retry_after(), absl::ZeroDuration());
  EXPECT_THAT(call.status().error_message(), HasSubstr("its deadline is in"));
}

TEST(SchedulingTest, EventsPredictTheFinish) {
  const Server server(TinyConfig());
  Call call(server, Fox(4));
  const auto events = call.Rest();
  EXPECT_TRUE(events.front().queued().has_time_left());
  for (const JobEvent& event : events) {
    if (!event.has_progress()) continue;
    EXPECT_TRUE(event.progress().has_time_left());
    EXPECT_EQ(event.progress().batch_rows(), 2u);
  }
}

TEST(SchedulingTest, ABadTenantIsNamed) {
  const Server server(TinyConfig());
  Call call(server, Fox(1), {.tenant = "no spaces"});
  call.Rest();
  EXPECT_EQ(call.status().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(call.status().error_message(), HasSubstr("x-genzo-tenant"));
}

// Starts once, so that there is a profile of "tiny", and writes `forged` over
// what was measured: tests that go by times must not depend on the machine.
void ForgeProfile(const Config& config, const nlohmann::json& forged) {
  { const Server measures(config); }
  const std::string path = config.profile_folder + "/tiny.json";
  auto profile = nlohmann::json::parse(ReadFile(path));
  profile.update(forged);
  std::ofstream(path) << profile.dump();
}

// More rows cost next to nothing.
nlohmann::json CheapRows() {
  return {
      {"1", 0.010}, {"2", 0.011}, {"4", 0.012}, {"8", 0.013}, {"16", 0.014}};
}

// No processor here lets a row's bits depend on the number of rows, so a
// forged profile says that this one does.
TEST(SchedulingTest, ReproducibleRowsAreFilledUpWhereTheirNumberMatters) {
  const TestFolder folder;
  Config config = TinyConfig();
  config.profile_folder = folder.path();
  GenerateRequest request = Fox(5);
  GenerateRequest same = request;
  same.set_reproducibility(v1::REPRODUCIBILITY_REPRODUCIBLE);
  // The files differ in what they tell of their requests.
  std::string expected;
  std::string expected_same;
  {
    const Server server(config);
    Call call(server, request);
    expected = PictureOf(call.Rest());
    Call other(server, same);
    expected_same = PictureOf(other.Rest());
  }
  ForgeProfile(config,
               {{"step_seconds", CheapRows()}, {"rows_independent", false}});
  Server server(config);
  const ModelMetrics& figures = server.metrics().ForModel("tiny");
  const auto evaluations = [&](int rows) {
    return figures.StepSeconds(/*pixels=*/1, rows)
        .Collect()
        .histogram.sample_count;
  };
  const int cap = static_cast<int>(figures.row_cap.Value());
  ASSERT_GT(cap, 2);
  Call fast(server, request);
  EXPECT_EQ(PictureOf(fast.Rest()), expected);
  EXPECT_EQ(evaluations(2), 5u);
  EXPECT_EQ(evaluations(cap), 0u);
  Call reproducible(server, same);
  EXPECT_EQ(PictureOf(reproducible.Rest()), expected_same);
  EXPECT_EQ(evaluations(2), 5u);
  EXPECT_EQ(evaluations(cap), 5u);
}

class ModelsTest : public ::testing::Test {
 protected:
  ModelsTest() { config_.models.push_back({"other", TinyModelFolder()}); }

  grpc::Status Load(const Server& server, const std::string& id,
                    v1::Model& model) {
    return Order<v1::LoadModelRequest>(server, &v1::ModelAdmin::Stub::LoadModel,
                                       id, model);
  }

  grpc::Status Unload(const Server& server, const std::string& id,
                      v1::Model& model) {
    return Order<v1::UnloadModelRequest>(
        server, &v1::ModelAdmin::Stub::UnloadModel, id, model);
  }

  Config config_ = TinyConfig();

 private:
  template <typename Request>
  grpc::Status Order(const Server& server,
                     grpc::Status (v1::ModelAdmin::Stub::*method)(
                         grpc::ClientContext*, const Request&, v1::Model*),
                     const std::string& id, v1::Model& model) {
    grpc::ClientContext context;
    Request request;
    request.set_id(id);
    const auto stub = v1::ModelAdmin::NewStub(server.Channel());
    model.Clear();
    return ((*stub).*method)(&context, request, &model);
  }
};

TEST_F(ModelsTest, ComeAndGoByCall) {
  const Server server(config_);
  v1::Model model;
  ASSERT_TRUE(Unload(server, "other", model).ok());
  EXPECT_EQ(model.state(), v1::Model::STATE_UNLOADED);
  EXPECT_EQ(model.weight_bytes(), 0u);
  ASSERT_TRUE(Load(server, "other", model).ok());
  EXPECT_EQ(model.state(), v1::Model::STATE_RESIDENT);
  EXPECT_GT(model.weight_bytes(), 0u);
  EXPECT_EQ(Load(server, "nope", model).error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Unload(server, "", model).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ModelsTest, ARequestLoadsItsModel) {
  const Server server(config_);
  v1::Model model;
  ASSERT_TRUE(Unload(server, "other", model).ok());
  GenerateRequest request = Fox(2);
  request.set_model("other");
  Call call(server, request);
  EXPECT_TRUE(Succeeded(call.Rest().back())) << call.status().error_message();
}

TEST_F(ModelsTest, TakeTurnsInABudgetForOne) {
  const TestFolder folder;  // of files of its own, or they would share parts
  config_.models[1].path = folder.CopyTinyModel();
  config_.memory_budget_mb = 8;  // one tiny model needs 5.2 MB
  const Server server(config_);
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 6; ++i) {
    GenerateRequest request = Fox(3);
    request.set_model(i % 2 == 0 ? "tiny" : "other");
    calls.push_back(std::make_unique<Call>(server, request));
  }
  for (auto& call : calls) {
    const auto events = call->Rest();
    ASSERT_FALSE(events.empty()) << call->status().error_message();
    EXPECT_TRUE(Succeeded(events.back()));
  }
  int resident = 0;
  for (const char* id : {"tiny", "other"}) {
    const auto model = GetModel(server, id);
    ASSERT_THAT(model, IsOk());
    resident += model->state() == v1::Model::STATE_RESIDENT ? 1 : 0;
  }
  EXPECT_EQ(resident, 1) << "one made room for the other";
}

TEST(SchedulingTest, RowsShareAnEvaluationAsFarAsMemoryGoes) {
  const TestFolder folder;
  Config config = TinyConfig();
  config.profile_folder = folder.path();
  // At the model's own size, a quarter of what is asked for.
  ForgeProfile(config, {{"step_seconds", CheapRows()},
                        {"activation_bytes", 16 * 100'000},
                        {"decode_bytes", 200'000}});
  const auto most_rows = [&config] {
    const Server server(config);
    GenerateRequest request = Fox(4);
    request.set_width(128);
    request.set_height(128);
    request.set_image_count(2);
    Call call(server, request);
    uint32_t rows = 0;
    for (const auto& event : call.Rest()) {
      rows = std::max(rows, event.progress().batch_rows());
    }
    EXPECT_TRUE(call.status().ok()) << call.status().error_message();
    return rows;
  };
  EXPECT_EQ(most_rows(), 4u);
  // Beside 4.2 MB of weights, 5.2 where small convolutions have larger ones,
  // and the decoding of a picture there is room for two rows and a half.
  const bool larger = CanWinograd(at::zeros({16, 16, 3, 3}), {});
  config.memory_budget_mb = larger ? 7 : 6;
  EXPECT_EQ(most_rows(), 2u);
  // One picture's two rows alone take more.
  config.memory_budget_mb = larger ? 6 : 5;
  const Server server(config);
  GenerateRequest request = Fox(4);
  request.set_width(128);
  request.set_height(128);
  Call call(server, request);
  call.Rest();
  EXPECT_EQ(call.status().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(call.reason(), "DOES_NOT_FIT");
}

}  // namespace
}  // namespace genzo
