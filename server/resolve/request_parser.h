#ifndef GENZO_SERVER_RESOLVE_REQUEST_PARSER_H_
#define GENZO_SERVER_RESOLVE_REQUEST_PARSER_H_

#include <string>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace genzo {

// Fills `request` from `bytes`. INVALID_ARGUMENT/MALFORMED_REQUEST if they are
// not such a message, naming the field if it is a text that is not UTF-8;
// INVALID_ARGUMENT/INVALID_FIELD if they have fields, at any depth, that this
// server does not know, naming number and message. Pure.
absl::Status ParseRequest(const std::string& bytes,
                          google::protobuf::Message& request);

}  // namespace genzo

#endif  // GENZO_SERVER_RESOLVE_REQUEST_PARSER_H_
