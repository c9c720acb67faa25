// Who may do what, over a socket; the test is the worker.

#include <filesystem>

#include "base/durable_file.h"
#include "genzo/v1/upscaling.grpc.pb.h"
#include "tests/server/own_services.h"
#include "tests/testing/front_end_rig.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

class KeysTest : public ::testing::Test {
 protected:
  // A key with these scopes that is in the file from now on.
  std::string AddKey(const std::set<std::string>& scopes, Grant grant = {}) {
    grant.scopes = scopes;
    const MadeKey key = MakeKey(grant, absl::FromUnixSeconds(0));
    keys_.push_back(key.stored);
    Write();
    return key.text;
  }
  void Write() {
    ASSERT_THAT(WriteDurably(path(), FormatKeys(keys_)), IsOk());
    if (rig_ != nullptr) rig_->front_end().Sweep();
  }
  std::string path() const { return folder_.path() + "/keys.json"; }

  void Start(FrontEndOptions options = {}) {
    options.auth.keys_file = path();
    rig_ = std::make_unique<FrontEndRig>(options);
    ASSERT_THAT(rig_->started(), IsOk());
  }

  using Metadata = std::vector<std::pair<std::string, std::string>>;

  static void Add(const Metadata& metadata, grpc::ClientContext& context) {
    for (const auto& [key, value] : metadata) context.AddMetadata(key, value);
  }
  static Metadata Bearer(const std::string& key) {
    return {{"authorization", "Bearer " + key}};
  }

  // What CreateJob says to a caller with `metadata`.
  absl::Status Create(const Metadata& metadata,
                      const v1::GenerateRequest& wanted = {}) {
    grpc::ClientContext context;
    Add(metadata, context);
    v1::CreateJobRequest request;
    *request.mutable_request() = wanted;
    return DetailsOf(v1::Jobs::NewStub(rig_->Channel())
                         ->CreateJob(&context, request, &job_));
  }
  absl::Status Generate(const Metadata& metadata) {
    grpc::ClientContext context;
    Add(metadata, context);
    v1::GenerateRequest request;
    request.set_steps(1000);  // refused, if by nothing else
    const auto stream = v1::ImageGeneration::NewStub(rig_->Channel())
                            ->Generate(&context, request);
    v1::JobEvent event;
    while (stream->Read(&event)) {
    }
    return DetailsOf(stream->Finish());
  }
  absl::Status Load(const std::string& address, const Metadata& metadata) {
    grpc::ClientContext context;
    Add(metadata, context);
    v1::LoadModelRequest request;
    request.set_id("tiny");
    v1::Model model;
    return DetailsOf(
        v1::ModelAdmin::NewStub(
            grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))
            ->LoadModel(&context, request, &model));
  }
  absl::Status List(const Metadata& metadata) {
    grpc::ClientContext context;
    Add(metadata, context);
    return DetailsOf(v1::ModelRegistry::NewStub(rig_->Channel())
                         ->ListModels(&context, {}, &models_));
  }
  std::string TenantOfNext() {
    const auto lease = rig_->queue().Take({});
    lease->Fail(JobCancelledError());
    return lease->job().tenant();
  }

  const TestFolder folder_;
  std::vector<StoredKey> keys_;
  std::unique_ptr<FrontEndRig> rig_;
  v1::Job job_;
  v1::ListModelsResponse models_;
};

TEST_F(KeysTest, NobodyWithoutAKeyIsServed) {
  const std::string key = AddKey({kScopeGenerate, kScopeJobs, kScopeAdmin});
  Start();
  for (const Metadata& metadata :
       {Metadata{}, Metadata{{"authorization", "Basic " + key}},
        Metadata{{"x-genzo-tenant", "t"}}}) {
    for (const absl::Status& status :
         {Create(metadata), Generate(metadata), List(metadata),
          Load(rig_->address(), metadata)}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
      EXPECT_EQ(ErrorReason(status), "CREDENTIALS_MISSING");
    }
  }
  EXPECT_EQ(ErrorReason(Create(Bearer("gz_0123456789abcdef_x"))),
            "KEY_INVALID");
  EXPECT_EQ(ErrorReason(Create(Bearer("abc.def.ghi"))), "KEY_INVALID");
  EXPECT_THAT(Create(Bearer(key)), IsOk());
  EXPECT_THAT(Create({{"authorization", "bearer " + key}}), IsOk());
  EXPECT_THAT(Create({{"x-api-key", key}}), IsOk());
}

TEST_F(KeysTest, AScopeOpensItsDoorAndNoOther) {
  const std::string generate = AddKey({kScopeGenerate});
  const std::string jobs = AddKey({kScopeJobs});
  const std::string admin = AddKey({kScopeAdmin});
  Start();
  EXPECT_EQ(ErrorReason(Generate(Bearer(generate))), "INVALID_FIELD");
  EXPECT_EQ(ErrorReason(Generate(Bearer(jobs))), "SCOPE_MISSING");
  EXPECT_EQ(ErrorReason(Generate(Bearer(admin))), "SCOPE_MISSING");
  EXPECT_EQ(ErrorReason(Create(Bearer(generate))), "SCOPE_MISSING");
  EXPECT_THAT(Create(Bearer(jobs)), IsOk());
  // On this machine, which without keys would be enough.
  EXPECT_EQ(ErrorReason(Load(rig_->address(), Bearer(generate))),
            "NOT_AN_ADMINISTRATOR");
  EXPECT_THAT(Load(rig_->address(), Bearer(admin)), IsOk());
  EXPECT_THAT(List(Bearer(generate)), IsOk());
}

TEST_F(KeysTest, ModelsAreToldWithTheLimitsOfTheKey) {
  const std::string all = AddKey({kScopeJobs});
  const std::string few =
      AddKey({kScopeJobs}, {.max_pixels = 4096, .max_steps = 3});
  const std::string none = AddKey({kScopeJobs}, {.models = {"elsewhere"}});
  Start();
  EXPECT_THAT(List(Bearer(all)), IsOk());
  ASSERT_GT(models_.models_size(), 0);
  EXPECT_GT(models_.models(0).limits().max_steps(), 3u);
  EXPECT_THAT(List(Bearer(few)), IsOk());
  EXPECT_EQ(models_.models(0).limits().max_steps(), 3u);
  EXPECT_EQ(models_.models(0).limits().max_pixels(), 4096u);
  EXPECT_THAT(List(Bearer(none)), IsOk());
  EXPECT_EQ(models_.models_size(), 0);
}

TEST_F(KeysTest, ATenantIsBelievedFromThoseWhoMayNameIt) {
  const std::string fixed = AddKey({kScopeJobs}, {.tenant = "fixed"});
  const std::string any =
      AddKey({kScopeJobs}, {.tenant = "front", .names_tenants = true});
  Start();
  EXPECT_THAT(Create(Bearer(fixed)), IsOk());
  EXPECT_EQ(TenantOfNext(), "fixed");
  Metadata metadata = Bearer(fixed);
  metadata.emplace_back("x-genzo-tenant", "another");
  EXPECT_EQ(ErrorReason(Create(metadata)), "TENANT_NOT_ALLOWED");
  metadata = Bearer(any);
  metadata.emplace_back("x-genzo-tenant", "another");
  EXPECT_THAT(Create(metadata), IsOk());
  EXPECT_EQ(TenantOfNext(), "another");
  EXPECT_THAT(Create(Bearer(any)), IsOk());
  EXPECT_EQ(TenantOfNext(), "front");
}

TEST_F(KeysTest, KeysAreReloadedAndABadFileChangesNothing) {
  const std::string first = AddKey({kScopeJobs});
  Start();
  EXPECT_THAT(Create(Bearer(first)), IsOk());
  const std::string second = AddKey({kScopeJobs});
  EXPECT_THAT(Create(Bearer(second)), IsOk());
  keys_.erase(keys_.begin());
  Write();
  EXPECT_EQ(ErrorReason(Create(Bearer(first))), "KEY_INVALID");
  ASSERT_THAT(WriteDurably(path(), "{\"keys\": [{}]}"), IsOk());
  EXPECT_THAT(rig_->front_end().Sweep(), ::testing::ElementsAre("keys"));
  EXPECT_THAT(Create(Bearer(second)), IsOk());
  std::filesystem::remove(path());
  rig_->front_end().Sweep();
  EXPECT_THAT(Create(Bearer(second)), IsOk());
}

TEST_F(KeysTest, QuotasHoldUntilJobsEnd) {
  const std::string key = AddKey({kScopeJobs}, {.max_jobs = 2});
  Start();
  EXPECT_THAT(Create(Bearer(key)), IsOk());
  EXPECT_THAT(Create(Bearer(key)), IsOk());
  EXPECT_EQ(ErrorReason(Create(Bearer(key))), "QUOTA_EXCEEDED");
  FrontEndRig::Paint(*rig_->queue().Take({}));
  EXPECT_THAT(Create(Bearer(key)), IsOk());
}

TEST_F(KeysTest, AKeysJobsAreThoseOfAllTenantsThatItNames) {
  const std::string key =
      AddKey({kScopeJobs}, {.names_tenants = true, .max_jobs = 2});
  Start();
  const auto create = [&](const char* tenant) {
    Metadata metadata = Bearer(key);
    metadata.emplace_back("x-genzo-tenant", tenant);
    return Create(metadata);
  };
  EXPECT_THAT(create("a"), IsOk());
  EXPECT_THAT(create("b"), IsOk());
  const absl::Status full = create("c");
  EXPECT_THAT(full, StatusIs(absl::StatusCode::kResourceExhausted,
                             "the key has 2 jobs, its limit (max_jobs)"));
  EXPECT_GT(RetryAfter(full), absl::ZeroDuration());
}

TEST_F(KeysTest, AKeysRateIsInCostUnits) {
  // A guided image of 512x512 and 20 steps costs 10.
  v1::GenerateRequest request;
  request.set_width(512);
  request.set_height(512);
  request.set_steps(20);
  const std::string key =
      AddKey({kScopeJobs}, {.cost_per_minute = 60, .burst_cost = 20});
  Start();
  EXPECT_THAT(Create(Bearer(key), request), IsOk());
  EXPECT_EQ(job_.cost(), 10);
  EXPECT_THAT(Create(Bearer(key), request), IsOk());
  const absl::Status refused = Create(Bearer(key), request);
  EXPECT_EQ(ErrorReason(refused), "QUOTA_EXCEEDED");
  EXPECT_EQ(RetryAfter(refused), absl::Seconds(10));
  rig_->clock().Advance(absl::Seconds(10));
  EXPECT_THAT(Create(Bearer(key), request), IsOk());
}

TEST_F(KeysTest, WhatAJobLeavesUndoneIsGivenBack) {
  v1::GenerateRequest request;  // 10 units, see above
  request.set_width(512);
  request.set_height(512);
  request.set_steps(20);
  const std::string key =
      AddKey({kScopeJobs}, {.cost_per_minute = 60, .burst_cost = 10});
  Start();
  EXPECT_THAT(Create(Bearer(key), request), IsOk());
  EXPECT_EQ(ErrorReason(Create(Bearer(key), request)), "QUOTA_EXCEEDED");
  rig_->queue().Take({})->Fail(JobCancelledError());
  EXPECT_THAT(Create(Bearer(key), request), IsOk()) << "no step was walked";
  v1::Ended end =
      EndedBy(ErrorWithReason(absl::StatusCode::kInternal, "NOT_FINITE", ""));
  end.set_steps_run(15);
  rig_->queue().Take({})->End(end);
  EXPECT_EQ(RetryAfter(Create(Bearer(key), request)), absl::Seconds(7.5));
  rig_->clock().Advance(absl::Seconds(7.5));
  EXPECT_THAT(Create(Bearer(key), request), IsOk());
  FrontEndRig::Paint(*rig_->queue().Take({}));
  EXPECT_EQ(RetryAfter(Create(Bearer(key), request)), absl::Seconds(10));
}

TEST_F(KeysTest, AKeysModelsAndSizesHold) {
  const std::string key =
      AddKey({kScopeJobs},
             {.models = {"large"}, .max_pixels = 64 * 64, .max_steps = 5});
  Start();
  v1::GenerateRequest request;
  request.set_steps(5);
  EXPECT_EQ(ErrorReason(Create(Bearer(key), request)), "MODEL_NOT_ALLOWED");
  request.set_model("large");
  EXPECT_THAT(Create(Bearer(key), request), IsOk());
  request.set_width(72);
  EXPECT_EQ(ErrorReason(Create(Bearer(key), request)), "INVALID_FIELD");
}

TEST_F(KeysTest, AKeysSizeHoldsForWhatAPictureIsEnlargedTo) {
  const std::string key = AddKey({kScopeJobs}, {.max_pixels = 32 * 32});
  Start();
  v1::GenerateRequest request;
  request.set_width(32);
  request.set_height(32);
  EXPECT_THAT(Create(Bearer(key), request), IsOk());
  request.mutable_output()->set_upscaler("lanczos");
  EXPECT_EQ(ErrorReason(Create(Bearer(key), request)), "INVALID_FIELD");
}

TEST_F(KeysTest, AKeysSizeHoldsForLargerPictures) {
  const std::string key = AddKey({kScopeGenerate}, {.max_pixels = 32 * 32});
  Start();
  const auto upscale = [&](double factor) {
    grpc::ClientContext context;
    Add(Bearer(key), context);
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(1));
    v1::UpscaleRequest request;
    request.mutable_picture()->set_data(
        ReadFile(SourcePath("tests/data/pictures/rgb_png.png")));
    request.set_factor(factor);
    const auto stream =
        v1::Upscaling::NewStub(rig_->Channel())->Upscale(&context, request);
    v1::JobEvent event;
    if (!stream->Read(&event)) return DetailsOf(stream->Finish());
    context.TryCancel();
    return absl::OkStatus();
  };
  EXPECT_EQ(ErrorReason(upscale(16)), "INVALID_FIELD");
  EXPECT_THAT(upscale(0.5), IsOk());
}

TEST_F(KeysTest, AWeightIsTheTenantsShare) {
  const std::string heavy =
      AddKey({kScopeJobs}, {.tenant = "heavy", .weight = 3});
  const std::string light = AddKey({kScopeJobs}, {.tenant = "light"});
  Start();
  for (int i = 0; i < 6; ++i) {
    EXPECT_THAT(Create(Bearer(light)), IsOk());
    EXPECT_THAT(Create(Bearer(heavy)), IsOk());
  }
  int heavy_ones = 0;
  for (int i = 0; i < 8; ++i) heavy_ones += TenantOfNext() == "heavy" ? 1 : 0;
  EXPECT_EQ(heavy_ones, 6);
}

TEST_F(KeysTest, AdministratorsHaveADoorOfTheirOwn) {
  const std::string key = AddKey({kScopeGenerate, kScopeJobs, kScopeAdmin});
  const std::string other = AddKey({kScopeGenerate, kScopeJobs});
  Start({.admin_listen = "127.0.0.1:0"});
  const std::string address =
      "127.0.0.1:" + std::to_string(rig_->front_end().admin_port());
  EXPECT_EQ(Load(rig_->address(), Bearer(key)).code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_THAT(Load(address, Bearer(key)), IsOk());
  EXPECT_EQ(ErrorReason(Load(address, Bearer(other))), "NOT_AN_ADMINISTRATOR");
}

TEST_F(KeysTest, WhatGrpcBringsIsWhereTheOptionsHaveIt) {
  AddKey({kScopeGenerate});
  Start({.admin_listen = "127.0.0.1:0", .reflection = false, .channelz = true});
  const std::string admin =
      "127.0.0.1:" + std::to_string(rig_->front_end().admin_port());
  const auto unimplemented = absl::StatusCode::kUnimplemented;
  EXPECT_THAT(ListServices(rig_->address()), StatusIs(unimplemented, ""));
  EXPECT_THAT(AskChannelz(rig_->address()), StatusIs(unimplemented, ""));
  EXPECT_THAT(AskChannelz(admin), IsOk());
  const auto services = ListServices(admin);
  ASSERT_THAT(services, IsOk()) << "administrators find their way";
  EXPECT_THAT(*services, ::testing::HasSubstr("genzo.v1.ModelAdmin"));
}

TEST_F(KeysTest, AFileOfNoUseIsSaidAtTheStart) {
  FrontEndOptions options;
  options.auth.keys_file = path();
  EXPECT_THAT(FrontEndRig(options).started(),
              StatusIs(absl::StatusCode::kNotFound, "auth.keys_file"));
  folder_.Write("keys.json", "[]");
  EXPECT_THAT(FrontEndRig(options).started(),
              StatusIs(absl::StatusCode::kInvalidArgument, "auth.keys_file"));
}

}  // namespace
}  // namespace genzo
