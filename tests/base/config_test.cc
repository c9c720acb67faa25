#include "base/config.h"

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

constexpr char kModels[] = "models:\n  - id: tiny\n    path: weights\n";

absl::StatusOr<Config> Parse(const std::string& more) {
  return ParseConfig(std::string(kModels) + more, "/etc/genzo");
}

TEST(ConfigTest, FillsInDefaults) {
  const auto config = Parse("");
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->listen, "127.0.0.1:50051");
  EXPECT_EQ(config->admin, "");
  EXPECT_EQ(config->default_model, "tiny");
  EXPECT_EQ(config->limits.max_steps, 150);
}

TEST(ConfigTest, TakesModelPathsFromItsFolder) {
  EXPECT_EQ(Parse("")->models[0].path, "/etc/genzo/weights");
}

TEST(ConfigTest, ReadsTheHttpDoor) {
  const auto config = Parse(
      "http: {listen: \"[::1]:80\", certificate: c.pem, key: k.pem, page: p,\n"
      "  client_ca_file: ca.pem,\n"
      "  public_url: https://x, link_key_file: l, origins: [https://a, "
      "\"*\"],\n"
      "  model_aliases: {gpt-image-1: tiny}, max_connections: 2,\n"
      "  max_connections_per_address: 1,\n"
      "  max_body_mb: 3, picture_mb: 4, link_seconds: 5}\n");
  ASSERT_THAT(config, IsOk());
  const HttpConfig& http = config->http;
  EXPECT_EQ(http.listen, "[::1]:80");
  EXPECT_EQ(http.certificate, "/etc/genzo/c.pem");
  EXPECT_EQ(http.key, "/etc/genzo/k.pem");
  EXPECT_EQ(http.client_ca_file, "/etc/genzo/ca.pem");
  EXPECT_EQ(http.page, "/etc/genzo/p");
  EXPECT_EQ(http.public_url, "https://x");
  EXPECT_EQ(http.link_key_file, "/etc/genzo/l");
  EXPECT_THAT(http.origins, ::testing::ElementsAre("https://a", "*"));
  EXPECT_EQ(http.model_aliases.at("gpt-image-1"), "tiny");
  EXPECT_EQ(http.max_connections, 2);
  EXPECT_EQ(http.max_connections_per_address, 1);
  EXPECT_EQ(http.max_body_bytes, 3 << 20);
  EXPECT_EQ(http.picture_bytes, 4 << 20);
  EXPECT_EQ(http.links_kept, absl::Seconds(5));
  EXPECT_EQ(Parse("")->http.listen, "");
}

TEST(ConfigTest, NamesWhatIsWrongWithTheHttpDoor) {
  for (const auto& [yaml, text] :
       std::vector<std::pair<std::string, std::string>>{
           {"listen: x", "http.listen"},
           {"certificate: c.pem", "http.key"},
           {"client_ca_file: c", "http.client_ca_file needs http.certificate"},
           {"origins: x", "http.origins"},
           {"origins: [example.com]", "http.origins[0]"},
           {"origins: [https://a/b]", "http.origins[0]"},
           {"model_aliases: {a: \"B C\"}", "http.model_aliases.a"},
           {"max_connections: 0", "http.max_connections"},
           {"max_connections_per_address: -1",
            "http.max_connections_per_address"},
           {"listn: x", "http.listn"}}) {
    EXPECT_THAT(Parse("http: {" + yaml + "}\n"),
                StatusIs(absl::StatusCode::kInvalidArgument, text));
  }
}

TEST(ConfigTest, ReadsADoorThatStandsAlone) {
  const auto config = ParseGatewayConfig(
      "server: host:1\nlog_level: error\nadmin: 127.0.0.1:2\nhttp: {page: p}\n",
      "/etc");
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->server, "host:1");
  EXPECT_EQ(config->log_level, "error");
  EXPECT_EQ(config->admin, "127.0.0.1:2");
  EXPECT_EQ(config->http.page, "/etc/p");
  EXPECT_EQ(config->http.listen, "127.0.0.1:8080");
  EXPECT_THAT(ParseGatewayConfig("models: []\n", "/etc"),
              StatusIs(absl::StatusCode::kInvalidArgument, "models"));
}

TEST(ConfigTest, ReadsEveryKey) {
  const auto config = Parse(
      "listen: 0.0.0.0:1\nadmin: 127.0.0.1:2\ndefault_model: tiny\n"
      "devices: [cuda:1, cpu:2]\ndtype: bfloat16\nthreads: 3\nlog_level: "
      "error\n"
      "limits: {max_side_pixels: 512, max_steps: 20, max_image_count: 2,"
      " max_prompt_bytes: 100, max_image_mb: 3}\n"
      "admin_api: \"off\"\n"
      "delivery: {max_streams: 12, job_mb: 13, tenant_mb: 14, total_mb: 15,"
      " reader_timeout_seconds: 16, results_kept_seconds: 17}\n"
      "jobs: {results_folder: results, results_mb: 18, max_jobs: 19}\n"
      "auth: {keys_file: keys.json, jwks_file: /jwks.json, jwt_issuer: i,"
      " jwt_audience: a, tenant_claim: t, scopes_claim: s, limits_claim: l,"
      " token_limits: {weight: 2.5, models: [a, b], max_pixels: 3000000000,"
      " max_steps: 50, cost_per_minute: 1.5, burst_cost: 2, max_jobs: 3,"
      " max_queued_jobs: 4}}\n"
      "tls: {cert_file: c.pem, key_file: k.pem, client_ca_file: ca.pem}\n"
      "webhooks: {hosts: [A.org, \"b.org:8443\"], private_hosts: [a.org],"
      " secret_file: hook, ca_file: hooks.pem}\n"
      "scorers: [{id: clip, path: clip, aesthetic_head: /head}]\n"
      "safety: {policy: blur, checker: checker}\n"
      "provenance: {watermark: true, may_be_left_out: true}\n"
      "result_cache: {mb: 21, tenant_mb: 22, folder: cache}\n"
      "insecure: true\nadmin_listen: 127.0.0.1:3\nstall_seconds: 20\n"
      "reflection: false\nchannelz: true\n"
      "queue_capacity: 5\nmax_live_runs: 6\nmax_batch_rows: 7\n"
      "max_wait_steps: 9\nmemory_budget_mb: 10\ntext_cache_mb: 11\n"
      "profile_folder: /profiles\nshutdown_grace_seconds: 8\n");
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->listen, "0.0.0.0:1");
  EXPECT_EQ(config->admin, "127.0.0.1:2");
  EXPECT_THAT(config->devices, ::testing::ElementsAre("cuda:1", "cpu:2"));
  EXPECT_EQ(config->dtype, "bfloat16");
  EXPECT_EQ(config->threads, 3);
  EXPECT_EQ(config->limits.max_side_pixels, 512);
  EXPECT_EQ(config->limits.max_prompt_bytes, 100);
  EXPECT_EQ(config->limits.max_image_bytes, 3 << 20);
  EXPECT_EQ(config->admin_api, "off");
  EXPECT_EQ(config->delivery.max_streams, 12);
  EXPECT_EQ(config->delivery.job_bytes, 13 << 20);
  EXPECT_EQ(config->delivery.tenant_bytes, 14 << 20);
  EXPECT_EQ(config->delivery.process_bytes, 15 << 20);
  EXPECT_EQ(config->delivery.reader_timeout, absl::Seconds(16));
  EXPECT_EQ(config->delivery.results_kept, absl::Seconds(17));
  EXPECT_EQ(config->scorers,
            (std::vector<ScorerConfig>{{.id = "clip",
                                        .path = "/etc/genzo/clip",
                                        .aesthetic_head = "/head"}}));
  EXPECT_EQ(config->safety, (SafetyConfig{.policy = v1::SAFETY_POLICY_BLUR,
                                          .checker = "/etc/genzo/checker"}));
  EXPECT_EQ(config->provenance,
            (ProvenanceConfig{.watermark = true, .may_be_left_out = true}));
  EXPECT_EQ(config->result_cache,
            (ResultCacheConfig{.bytes = 21 << 20,
                               .tenant_bytes = 22 << 20,
                               .folder = "/etc/genzo/cache"}));
  EXPECT_EQ(config->limits.pictures,
            (PictureRules{.safety = config->safety,
                          .provenance = config->provenance,
                          .scorers = {"clip"},
                          .aesthetic = {"clip"}}));
  EXPECT_EQ(config->jobs.results_folder, "/etc/genzo/results");
  EXPECT_EQ(config->jobs.results_bytes, 18 << 20);
  EXPECT_EQ(config->jobs.most_jobs, 19u);
  EXPECT_EQ(config->auth.keys_file, "/etc/genzo/keys.json");
  EXPECT_EQ(config->auth.jwks_file, "/jwks.json");
  EXPECT_EQ(config->auth.jwt_issuer, "i");
  EXPECT_EQ(config->auth.jwt_audience, "a");
  EXPECT_EQ(config->auth.tenant_claim, "t");
  EXPECT_EQ(config->auth.scopes_claim, "s");
  EXPECT_EQ(config->auth.limits_claim, "l");
  const Grant& limits = config->auth.token_limits;
  EXPECT_EQ(limits.weight, 2.5);
  EXPECT_EQ(limits.models, (std::set<std::string>{"a", "b"}));
  EXPECT_EQ(limits.max_pixels, 3'000'000'000);
  EXPECT_EQ(limits.max_steps, 50);
  EXPECT_EQ(limits.cost_per_minute, 1.5);
  EXPECT_EQ(limits.burst_cost, 2);
  EXPECT_EQ(limits.max_jobs, 3);
  EXPECT_EQ(limits.max_queued_jobs, 4);
  EXPECT_EQ(config->tls.cert_file, "/etc/genzo/c.pem");
  EXPECT_EQ(config->tls.key_file, "/etc/genzo/k.pem");
  EXPECT_EQ(config->tls.client_ca_file, "/etc/genzo/ca.pem");
  EXPECT_THAT(config->webhooks.hosts,
              ::testing::ElementsAre("a.org:443", "b.org:8443"));
  EXPECT_THAT(config->webhooks.private_hosts,
              ::testing::ElementsAre("a.org:443"));
  EXPECT_EQ(config->webhooks.secret_file, "/etc/genzo/hook");
  EXPECT_EQ(config->webhooks.ca_file, "/etc/genzo/hooks.pem");
  EXPECT_TRUE(config->insecure);
  EXPECT_EQ(config->admin_listen, "127.0.0.1:3");
  EXPECT_FALSE(config->reflection);
  EXPECT_TRUE(config->channelz);
  EXPECT_EQ(config->stall_after, absl::Seconds(20));
  EXPECT_EQ(config->queue_capacity, 5);
  EXPECT_EQ(config->max_live_runs, 6);
  EXPECT_EQ(config->max_batch_rows, 7);
  EXPECT_EQ(config->max_wait_steps, 9);
  EXPECT_EQ(config->memory_budget_mb, 10);
  EXPECT_EQ(config->text_cache_mb, 11);
  EXPECT_EQ(config->profile_folder, "/profiles");
  EXPECT_EQ(config->shutdown_grace, absl::Seconds(8));
}

TEST(ConfigTest, NamesUnknownKeys) {
  EXPECT_THAT(Parse("quee_capacity: 5\n"),
              StatusIs(kInvalid, "unknown key quee_capacity"));
  EXPECT_THAT(Parse("limits: {steps: 5}\n"),
              StatusIs(kInvalid, "unknown key limits.steps"));
  EXPECT_THAT(ParseConfig("models: [{id: a, path: b, dtype: c}]", ""),
              StatusIs(kInvalid, "unknown key models[0].dtype"));
}

TEST(ConfigTest, NamesWrongTypesAndValues) {
  EXPECT_THAT(Parse("threads: many\n"),
              StatusIs(kInvalid, "threads is not a whole number"));
  EXPECT_THAT(
      Parse("limits: {max_steps: 0}\n"),
      StatusIs(kInvalid, "limits.max_steps 0 is not between 1 and 1000"));
  EXPECT_THAT(Parse("dtype: int8\n"),
              StatusIs(kInvalid, "dtype \"int8\" is not one of"));
  EXPECT_THAT(Parse("devices: [tpu]\n"),
              StatusIs(kInvalid, "devices[0] \"tpu\""));
  EXPECT_THAT(Parse("limits: 5\n"), StatusIs(kInvalid, "limits is not a map"));
  EXPECT_THAT(Parse("listen: [1]\n"),
              StatusIs(kInvalid, "listen is not a string"));
  EXPECT_THAT(Parse("default_model: other\n"),
              StatusIs(kInvalid, "default_model \"other\""));
}

TEST(ConfigTest, RefusesBadModels) {
  EXPECT_THAT(ParseConfig("listen: a:1", ""), StatusIs(kInvalid, "models"));
  EXPECT_THAT(ParseConfig("models: []", ""), StatusIs(kInvalid, "models"));
  EXPECT_THAT(ParseConfig("models: [{id: ../x, path: y}]", ""),
              StatusIs(kInvalid, "models[0].id"));
  EXPECT_THAT(ParseConfig("models: [{id: x}]", ""),
              StatusIs(kInvalid, "models[0].path is missing"));
  EXPECT_THAT(ParseConfig("models: [{id: x, path: y}, {id: x, path: z}]", ""),
              StatusIs(kInvalid, "occurs twice"));
}

TEST(ConfigTest, AModelMayTakePartsFromElsewhere) {
  const auto config = ParseConfig(
      "models: [{id: x, path: y.safetensors, config: c, parts: {vae: v.st}}]",
      "/base");
  ASSERT_THAT(config, IsOk());
  const ModelFiles files = config->models[0].files();
  EXPECT_EQ(files.path, "/base/y.safetensors");
  EXPECT_EQ(files.config, "/base/c");
  EXPECT_EQ(files.parts.at("vae"), "/base/v.st");
  EXPECT_THAT(ParseConfig("models: [{id: x, path: y, parts: {vae: [1]}}]", ""),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "models[0].parts.vae is not the path"));
  EXPECT_THAT(ParseConfig("models: [{id: x, path: y, parts: 5}]", ""),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "models[0].parts is not a map"));
}

TEST(ConfigTest, AFolderOfModelsIsEnough) {
  const auto config = ParseConfig(
      "models_folder: checkpoints\ncontrolnets: [nets, /more]\n", "/base");
  ASSERT_THAT(config, IsOk());
  EXPECT_TRUE(config->models.empty());
  EXPECT_EQ(config->models_folder, "/base/checkpoints");
  EXPECT_EQ(config->controlnets,
            (std::vector<std::string>{"/base/nets", "/more"}));
  EXPECT_THAT(ParseConfig("models_folder: c\nip_adapters: [[]]\n", ""),
              StatusIs(absl::StatusCode::kInvalidArgument, "ip_adapters[0]"));
  EXPECT_THAT(ParseConfig("models_folder: c\ncontrolnets: nets\n", ""),
              StatusIs(absl::StatusCode::kInvalidArgument, "controlnets"));
  EXPECT_THAT(ParseConfig("models_folder: c\nmodels: []\n", ""),
              StatusIs(absl::StatusCode::kInvalidArgument, "models"));
}

TEST(ConfigTest, ChecksAddressesAndRepetitions) {
  EXPECT_THAT(Parse("listen: 127.0.0.1:99999\n"),
              StatusIs(kInvalid, "listen \"127.0.0.1:99999\""));
  EXPECT_THAT(Parse("admin: localhost\n"), StatusIs(kInvalid, "admin"));
  EXPECT_THAT(Parse("listen: '[::]:0'\n"), IsOk());
  EXPECT_THAT(Parse("threads: 1\nthreads: 2\n"),
              StatusIs(kInvalid, "key threads occurs twice"));
}

TEST(ConfigTest, AnEmptyFileHasNoModels) {
  const TestFolder folder;
  EXPECT_THAT(ReadConfigFile(folder.Write("genzo.yaml", "")),
              StatusIs(absl::StatusCode::kInvalidArgument, "models"));
}

TEST(ConfigTest, RefusesASecondDocument) {
  EXPECT_THAT(
      ParseConfig("models: [{id: a, path: b}]\n---\nthreads: 3\n", "").status(),
      StatusIs(absl::StatusCode::kInvalidArgument, "has 2 YAML documents"));
}

TEST(ConfigTest, CallsBadYamlBad) {
  EXPECT_THAT(ParseConfig("models: [", ""),
              StatusIs(absl::StatusCode::kInvalidArgument, "not valid YAML"));
  EXPECT_THAT(ParseConfig("just text", ""),
              StatusIs(absl::StatusCode::kInvalidArgument, "not a map"));
}

TEST(ConfigTest, ReadsEmbeddingsAndKeptLatents) {
  const std::string models = "models: [{id: a, path: b}]\n";
  const auto config = ParseConfig(models +
                                      "embeddings: [one, /two]\n"
                                      "kept_latents: {tenant_mb: 2}",
                                  "/etc");
  ASSERT_THAT(config, IsOk());
  EXPECT_THAT(config->embeddings, ::testing::ElementsAre("/etc/one", "/two"));
  EXPECT_EQ(config->kept_latents.bytes, 64 << 20);
  EXPECT_EQ(config->kept_latents.tenant_bytes, 2 << 20);
  for (const auto& [yaml, text] :
       {std::pair("embeddings: one", "embeddings is not a list of folders"),
        std::pair("embeddings: [{a: b}]",
                  "embeddings[0] is not a folder's path"),
        std::pair("kept_latents: {total_mb: 8}",
                  "kept_latents.tenant_mb 16 is over kept_latents.total_mb 8"),
        std::pair("kept_latents: {mb: 8}", "unknown key kept_latents.mb")}) {
    EXPECT_THAT(ParseConfig(models + yaml, "/etc"),
                StatusIs(absl::StatusCode::kInvalidArgument, text));
  }
}

TEST(ConfigTest, ExampleIsValidAndHoldsTheDefaults) {
  const auto example = ReadConfigFile(SourcePath("deploy/genzo.yaml"));
  ASSERT_THAT(example, IsOk());
  const Config defaults;
  EXPECT_EQ(example->listen, defaults.listen);
  EXPECT_EQ(example->devices, defaults.devices);
  EXPECT_EQ(example->dtype, defaults.dtype);
  EXPECT_EQ(example->limits.max_side_pixels, defaults.limits.max_side_pixels);
  EXPECT_EQ(example->limits.max_prompt_bytes, defaults.limits.max_prompt_bytes);
  EXPECT_EQ(example->queue_capacity, defaults.queue_capacity);
  EXPECT_EQ(example->max_live_runs, defaults.max_live_runs);
  EXPECT_EQ(example->max_batch_rows, defaults.max_batch_rows);
  EXPECT_EQ(example->max_wait_steps, defaults.max_wait_steps);
  EXPECT_EQ(example->memory_budget_mb, defaults.memory_budget_mb);
  EXPECT_EQ(example->text_cache_mb, defaults.text_cache_mb);
  EXPECT_EQ(example->embeddings, defaults.embeddings);
  EXPECT_EQ(example->kept_latents, defaults.kept_latents);
  EXPECT_EQ(example->upscalers, defaults.upscalers);
  EXPECT_EQ(example->upscale_memory_mb, defaults.upscale_memory_mb);
  EXPECT_EQ(example->profile_folder, defaults.profile_folder);
  EXPECT_EQ(example->shutdown_grace, defaults.shutdown_grace);
}

TEST(ConfigTest, ReadsFoldersOfUpscalers) {
  const auto config =
      ParseConfig("models_folder: m\nupscalers: [a, /b]\n", "/base");
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->upscalers, std::vector<std::string>({"/base/a", "/b"}));
  EXPECT_THAT(ParseConfig("models_folder: m\nupscalers: a\n", ""),
              StatusIs(kInvalid, "upscalers is not a list of folders"));
  EXPECT_THAT(ParseConfig("models_folder: m\nupscalers: [[a]]\n", ""),
              StatusIs(kInvalid, "upscalers[0]"));
  EXPECT_THAT(ParseConfig("models_folder: m\nupscale_memory_mb: 1\n", ""),
              StatusIs(kInvalid, "upscale_memory_mb 1 "));
}

TEST(ConfigTest, NamesTheMissingFile) {
  EXPECT_THAT(ReadConfigFile("/nowhere/genzo.yaml"),
              StatusIs(absl::StatusCode::kNotFound, "/nowhere/genzo.yaml"));
}

TEST(ConfigTest, WhatNeedsEachOtherIsRefusedAlone) {
  const std::pair<const char*, const char*> cases[] = {
      {"auth: {jwks_file: x}\n", "auth.jwks_file needs auth.jwt_issuer"},
      {"auth: {token_limits: {weight: 0}}\n",
       "auth.token_limits.weight 0 is not between 0.01 and 100"},
      {"auth: {token_limits: {models: a}}\n",
       "auth.token_limits.models is not a list"},
      {"tls: {cert_file: x}\n", "tls.cert_file and tls.key_file"},
      {"tls: {client_ca_file: x}\n", "tls.client_ca_file needs"},
      {"webhooks: {hosts: [a.org]}\n", "webhooks.secret_file"},
      {"webhooks: {hosts: [\"a b:x\"], secret_file: s}\n", "webhooks.hosts[0]"},
      {"webhooks: {private_hosts: [a.org]}\n", "is not one of webhooks.hosts"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(Parse(text),
                StatusIs(absl::StatusCode::kInvalidArgument, message));
  }
}

TEST(ConfigTest, OnlyThisMachineIsServedWithoutProof) {
  const auto reach = [](const std::string& more) {
    return CheckReach(*Parse(more));
  };
  for (const char* own : {"", "listen: 127.0.0.2:1\n", "listen: localhost:1\n",
                          "listen: \"[::1]:1\"\n"}) {
    EXPECT_THAT(reach(own), IsOk()) << own;
  }
  for (const char* open :
       {"listen: 0.0.0.0:1\n", "listen: \"[::]:1\"\n", "listen: host:1\n",
        "admin_listen: 0.0.0.0:1\n",
        "listen: 0.0.0.0:1\ntls: {cert_file: c, key_file: k}\n"}) {
    EXPECT_THAT(reach(open), StatusIs(absl::StatusCode::kInvalidArgument,
                                      "is reached from other machines"))
        << open;
  }
  for (const char* proof :
       {"insecure: true\n", "auth: {keys_file: k}\n",
        "auth: {jwks_file: k, jwt_issuer: i, jwt_audience: a}\n",
        "tls: {cert_file: c, key_file: k, client_ca_file: a}\n"}) {
    EXPECT_THAT(reach(std::string("listen: 0.0.0.0:1\n") + proof), IsOk())
        << proof;
  }
}

TEST(ConfigTest, ChannelzIsForThisMachineAlone) {
  for (const char* reached : {"", "admin_listen: 0.0.0.0:1\n"}) {
    EXPECT_THAT(Parse(std::string("channelz: true\n") + reached),
                StatusIs(kInvalid, "channelz true asks nobody for a key"))
        << reached;
  }
  EXPECT_THAT(Parse("channelz: true\nadmin_listen: localhost:1\n"), IsOk());
  EXPECT_THAT(Parse("channelz: maybe\n"),
              StatusIs(kInvalid, "channelz is neither true nor false"));
}

TEST(ConfigTest, NamesWhatIsWrongWithScorersAndSafety) {
  const std::string models = "models: [{id: a, path: p}]\n";
  const auto parse = [&](const std::string& yaml) {
    return ParseConfig(models + yaml, "/").status();
  };
  EXPECT_THAT(parse("safety: {policy: loose}"),
              StatusIs(kInvalid, "safety.policy \"loose\""));
  EXPECT_THAT(parse("scorers: [{id: A, path: p}]"),
              StatusIs(kInvalid, "scorers[0].id \"A\""));
  EXPECT_THAT(parse("scorers: [{id: a, path: p}, {id: a, path: q}]"),
              StatusIs(kInvalid, "scorers[1].id \"a\" occurs twice"));
  EXPECT_THAT(parse("scorers: [{id: a}]"),
              StatusIs(kInvalid, "scorers[0].path is missing"));
}

}  // namespace
}  // namespace genzo
