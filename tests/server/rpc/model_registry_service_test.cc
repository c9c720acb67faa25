#include "server/rpc/model_registry_service.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

std::vector<v1::Model> Models() {
  std::vector<v1::Model> models(3);
  models[0].set_id("a");
  models[1].set_id("b");
  models[2].set_id("c");
  return models;
}

v1::ListModelsRequest Ask(int page_size, const std::string& token = "") {
  v1::ListModelsRequest request;
  request.set_page_size(page_size);
  request.set_page_token(token);
  return request;
}

TEST(ListPageTest, WithoutASizeAllFit) {
  const auto page = ListPage(Models(), Ask(0));
  EXPECT_EQ(page->models_size(), 3);
  EXPECT_TRUE(page->next_page_token().empty());
}

TEST(ListPageTest, PagesFollowEachOther) {
  const auto first = ListPage(Models(), Ask(2));
  ASSERT_EQ(first->models_size(), 2);
  const auto second = ListPage(Models(), Ask(2, first->next_page_token()));
  ASSERT_EQ(second->models_size(), 1);
  EXPECT_EQ(second->models(0).id(), "c");
  EXPECT_TRUE(second->next_page_token().empty());
}

TEST(ListPageTest, AFullLastPageIsTheLast) {
  EXPECT_TRUE(ListPage(Models(), Ask(3))->next_page_token().empty());
}

TEST(ListPageTest, RefusesNonsense) {
  EXPECT_THAT(
      ListPage(Models(), Ask(-1)),
      StatusIs(absl::StatusCode::kInvalidArgument, "page_size -1 is below 0"));
  // Not Base64, and Base64 of something else.
  for (const char* token : {"!", "abc", "emFwcGE"}) {
    EXPECT_THAT(ListPage(Models(), Ask(1, token)),
                StatusIs(absl::StatusCode::kInvalidArgument, "page_token"));
  }
}

}  // namespace
}  // namespace genzo
