#ifndef GENZO_SERVER_RPC_PAGES_H_
#define GENZO_SERVER_RPC_PAGES_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace genzo {

inline constexpr int kMostItemsOfAPage = 1000;

// What a request asks of a list by its page_size and page_token.
struct PageAsked {
  size_t size = 1;    // items at most
  std::string after;  // key of the last item of the page before; empty: begin
};

// INVALID_ARGUMENT for a negative size, or a token that PageToken() did not
// make. A size of 0 is `usual`, one over kMostItemsOfAPage is that.
absl::StatusOr<PageAsked> ParsePage(int page_size, absl::string_view page_token,
                                    int usual = kMostItemsOfAPage);

// What ParsePage() says of a strange token.
absl::Status ForeignPageTokenError();

// What asks for the page that follows the item of that key.
std::string PageToken(absl::string_view key);

// Some of a list that is sorted by a key, and where the rest begins.
template <typename Item>
struct Page {
  std::vector<Item> items;
  std::string next_page_token;  // empty after the last one
};

// The page of `items`, whose keys `key_of` gives, that a request asks for.
// Errors are ParsePage()'s. Pure.
template <typename Item, typename KeyOf, typename Request>
absl::StatusOr<Page<Item>> PageOf(std::vector<Item> items, const KeyOf& key_of,
                                  const Request& request) {
  const auto asked = ParsePage(request.page_size(), request.page_token());
  if (!asked.ok()) return asked.status();
  Page<Item> page;
  for (Item& item : items) {
    if (key_of(item) <= asked->after) continue;
    if (page.items.size() == asked->size) {
      page.next_page_token = PageToken(key_of(page.items.back()));
      break;
    }
    page.items.push_back(std::move(item));
  }
  return page;
}

// The answer that holds a page, if there is one; `add` takes an item into it.
// Pure.
template <typename Answer, typename Item, typename Add>
absl::StatusOr<Answer> AnswerOf(absl::StatusOr<Page<Item>> page,
                                const Add& add) {
  if (!page.ok()) return page.status();
  Answer answer;
  for (Item& item : page->items) add(answer, std::move(item));
  answer.set_next_page_token(page->next_page_token);
  return answer;
}

}  // namespace genzo

#endif  // GENZO_SERVER_RPC_PAGES_H_
