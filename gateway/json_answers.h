#ifndef GENZO_GATEWAY_JSON_ANSWERS_H_
#define GENZO_GATEWAY_JSON_ANSWERS_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gateway/backend.h"
#include "gateway/door_error.h"
#include "gateway/json_body.h"
#include "gateway/proto_json.h"

// How the paths of the service's own JSON answer: with the proto's messages.

namespace genzo {

inline HttpResponse Refusal(const absl::Status& status) {
  return ErrorResponse(DoorKind::kJobs, status);
}

// Answers with what the service says, or why it says nothing.
template <typename Answer>
Backend::Done<Answer> Answering(HttpExchangeRef exchange) {
  return [exchange = std::move(exchange)](absl::StatusOr<Answer> answer) {
    if (!answer.ok()) return exchange->Send(Refusal(answer.status()));
    exchange->Send({.body = ToJson(*answer)});
  };
}

// INVALID_ARGUMENT/INVALID_FIELD for a parameter of a query: `what` is wrong
// with its value, "is not a parameter of this".
inline absl::Status WrongParameter(const std::string& name,
                                   const std::string& value,
                                   const std::string& what) {
  return InvalidFieldsError(
      {{name, absl::StrCat(name, " ", ShownValue(value), " ", what)}});
}

}  // namespace genzo

#endif  // GENZO_GATEWAY_JSON_ANSWERS_H_
