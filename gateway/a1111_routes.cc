#include "gateway/a1111_routes.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/door_error.h"

namespace genzo {

std::string A1111Path(const std::string& name) {
  return absl::StrCat("/sdapi/v1/", name);
}

Route A1111Get(const std::string& name, HttpHandler handler) {
  return {"GET", A1111Path(name), {}, std::move(handler)};
}

Route A1111Post(const std::string& name, HttpHandler handler) {
  return {"POST", A1111Path(name), {"application/json"}, std::move(handler)};
}

HttpResponse A1111Refusal(const absl::Status& status) {
  return ErrorResponse(DoorKind::kA1111, status);
}

}  // namespace genzo
