#include "base/api_keys.h"

#include "absl/strings/str_replace.h"
#include "base/errors.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

Grant SomeGrant() {
  Grant grant;
  grant.name = "a bot";
  grant.tenant = "discord";
  grant.scopes = {kScopeGenerate, kScopeJobs};
  grant.weight = 2.5;
  grant.models = {"emaki"};
  grant.max_pixels = 512 * 512;
  grant.max_steps = 50;
  grant.cost_per_minute = 100;
  grant.burst_cost = 20.5;
  grant.max_jobs = 4;
  grant.max_queued_jobs = 2;
  return grant;
}

std::string ReasonOf(const KeyTable& table, const std::string& text,
                     absl::Time date = kNow) {
  return ErrorReason(table.Find(text, date).status());
}

TEST(ApiKeysTest, AKeyIsFoundByItsTextAlone) {
  const MadeKey key = MakeKey(SomeGrant(), kNow);
  const MadeKey other = MakeKey(SomeGrant(), kNow);
  const KeyTable table({key.stored, other.stored});
  const auto grant = table.Find(key.text, kNow);
  ASSERT_THAT(grant, IsOk());
  EXPECT_EQ((*grant)->key_id, key.stored.grant.key_id);
  EXPECT_NE(key.text, other.text);
  for (const std::string& text :
       {std::string(), std::string("gz_"), key.text.substr(3),
        key.text.substr(0, key.text.size() - 1), key.text + "A",
        "gz_" + key.stored.grant.key_id,
        "gz_" + other.stored.grant.key_id + key.text.substr(19),
        MakeKey(SomeGrant(), kNow).text}) {
    EXPECT_EQ(ReasonOf(table, text), "KEY_INVALID") << text;
  }
}

TEST(ApiKeysTest, TheFileDoesNotTellTheKey) {
  const MadeKey key = MakeKey(SomeGrant(), kNow);
  const std::string secret = key.text.substr(3 + 16 + 1);
  EXPECT_GE(secret.size(), 43u);
  EXPECT_EQ(FormatKeys({key.stored}).find(secret), std::string::npos);
}

TEST(ApiKeysTest, TheFileIsReadAsItWasWritten) {
  MadeKey key = MakeKey(SomeGrant(), kNow);
  key.stored.grant.expires = kNow + absl::Hours(1);
  const std::string text = FormatKeys({key.stored});
  const auto keys = ParseKeys(text);
  ASSERT_THAT(keys, IsOk());
  ASSERT_EQ(keys->size(), 1u);
  EXPECT_EQ(FormatKeys(*keys), text);
  const KeyTable table(*keys);
  EXPECT_THAT(table.Find(key.text, kNow), IsOk());
  EXPECT_EQ((*keys)[0].grant.burst_cost, 20.5);
  EXPECT_EQ((*keys)[0].grant.models, std::set<std::string>{"emaki"});
}

TEST(ApiKeysTest, AKeyExpires) {
  MadeKey key = MakeKey(SomeGrant(), kNow);
  key.stored.grant.expires = kNow + absl::Hours(1);
  const KeyTable table({key.stored});
  EXPECT_EQ(ReasonOf(table, key.text, kNow + absl::Minutes(59)), "");
  EXPECT_EQ(ReasonOf(table, key.text, kNow + absl::Hours(1)), "KEY_EXPIRED");
}

TEST(ApiKeysTest, BadFilesAreRefusedByPath) {
  const std::string good = FormatKeys({MakeKey(SomeGrant(), kNow).stored});
  ASSERT_THAT(ParseKeys(good), IsOk());
  const std::pair<std::pair<const char*, const char*>, const char*> cases[] = {
      {{"\"weight\": 2.5", "\"weight\": 0"}, "keys[0].weight 0 is not between"},
      {{"\"weight\": 2.5", "\"wait\": 2.5"}, "keys[0].wait is not known"},
      {{"\"max_steps\": 50", "\"max_steps\": \"50\""},
       "keys[0].max_steps has the wrong type"},
      {{"\"generate\"", "\"paint\""}, "keys[0].scopes: \"paint\""},
      {{"\"tenant\": \"discord\"", "\"tenant\": \"a b\""}, "keys[0].tenant"},
      {{"\"id\": \"", "\"id\": \"x"}, "keys[0].id is not 16 hexadecimal"},
      {{"\"hash\": \"", "\"hash\": \"0\", \"hush\": \""}, "keys[0].hash"},
  };
  for (const auto& [change, message] : cases) {
    const std::string bad = absl::StrReplaceAll(good, {change});
    EXPECT_THAT(ParseKeys(bad),
                StatusIs(absl::StatusCode::kInvalidArgument, message))
        << change.second;
  }
  for (const char* text : {"", "[]", "{}", "{\"keys\": 1}",
                           "{\"keys\": [], \"more\": 1}", "{\"keys\": [1]}"}) {
    EXPECT_THAT(ParseKeys(text),
                StatusIs(absl::StatusCode::kInvalidArgument, ""))
        << text;
  }
}

}  // namespace
}  // namespace genzo
