#ifndef GENZO_CLIENT_USAGE_MESSAGE_H_
#define GENZO_CLIENT_USAGE_MESSAGE_H_

#include <string>
#include <vector>

#include "CLI/CLI.hpp"

namespace genzo {

// The commands that people are told of.
std::vector<std::string> CommandNames(const CLI::App& app);

// What is said of a command line that `app`, genzo's, cannot read: the fault,
// and what may have been meant. Pure.
std::string UsageMessage(const CLI::App* app, const CLI::Error& error);

}  // namespace genzo

#endif  // GENZO_CLIENT_USAGE_MESSAGE_H_
