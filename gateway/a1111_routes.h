#ifndef GENZO_GATEWAY_A1111_ROUTES_H_
#define GENZO_GATEWAY_A1111_ROUTES_H_

#include <string>

#include "absl/status/status.h"
#include "gateway/router.h"

namespace genzo {

// /sdapi/v1/NAME.
std::string A1111Path(const std::string& name);

// A route there. What is posted is JSON.
Route A1111Get(const std::string& name, HttpHandler handler);
Route A1111Post(const std::string& name, HttpHandler handler);

// An error as A1111's clients read it.
HttpResponse A1111Refusal(const absl::Status& status);

}  // namespace genzo

#endif  // GENZO_GATEWAY_A1111_ROUTES_H_
