#ifndef GENZO_SERVER_PAGES_H_
#define GENZO_SERVER_PAGES_H_

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/errors.h"

namespace genzo {

inline constexpr char kPageMark[] = "after:";

// Some of a list that is sorted by a key, and where the rest begins.
template <typename Item>
struct Page {
  std::vector<Item> items;
  std::string next_page_token;  // empty after the last one
};

// The page of `items`, whose keys `key_of` gives, that a request asks for by
// its page_size and page_token. INVALID_ARGUMENT for a negative size or a
// strange token. Pure.
template <typename Item, typename KeyOf, typename Request>
absl::StatusOr<Page<Item>> PageOf(std::vector<Item> items, const KeyOf& key_of,
                                  const Request& request) {
  constexpr int kMostItems = 1000;
  if (request.page_size() < 0) {
    return InvalidFieldsError(
        {{"page_size",
          absl::StrCat("page_size ", request.page_size(), " is below 0")}});
  }
  // The token is the last key of the page before, behind a mark.
  std::string token;
  absl::string_view after;
  if (!request.page_token().empty()) {
    const bool readable =
        absl::WebSafeBase64Unescape(request.page_token(), &token);
    after = token;
    if (!readable || !absl::ConsumePrefix(&after, kPageMark)) {
      return InvalidFieldsError(
          {{"page_token",
            "page_token is not a next_page_token of this server"}});
    }
  }
  const auto most = static_cast<size_t>(
      request.page_size() == 0 ? kMostItems
                               : std::min(request.page_size(), kMostItems));
  Page<Item> page;
  for (Item& item : items) {
    if (key_of(item) <= after) continue;
    if (page.items.size() == most) {
      page.next_page_token = absl::WebSafeBase64Escape(
          absl::StrCat(kPageMark, key_of(page.items.back())));
      break;
    }
    page.items.push_back(std::move(item));
  }
  return page;
}

}  // namespace genzo

#endif  // GENZO_SERVER_PAGES_H_
