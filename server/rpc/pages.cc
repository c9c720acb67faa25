#include "server/rpc/pages.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/resolve/violations.h"

namespace genzo {
namespace {

// Of a token, so that a word that happens to be base64 is none.
constexpr absl::string_view kMark = "after:";

}  // namespace

absl::StatusOr<PageAsked> ParsePage(int page_size, absl::string_view page_token,
                                    int usual) {
  if (page_size < 0) {
    return InvalidFieldsError(
        {{"page_size", absl::StrCat("page_size ", page_size, " is below 0")}});
  }
  PageAsked asked;
  asked.size = page_size == 0 ? usual : std::min(page_size, kMostItemsOfAPage);
  if (page_token.empty()) return asked;
  std::string token;
  const bool readable = absl::WebSafeBase64Unescape(page_token, &token);
  absl::string_view after = token;
  if (!readable || !absl::ConsumePrefix(&after, kMark) || after.empty()) {
    return ForeignPageTokenError();
  }
  asked.after = std::string(after);
  return asked;
}

absl::Status ForeignPageTokenError() {
  return InvalidFieldsError(
      {{"page_token", "page_token is not a next_page_token of this server"}});
}

std::string PageToken(absl::string_view key) {
  return absl::WebSafeBase64Escape(absl::StrCat(kMark, key));
}

}  // namespace genzo
