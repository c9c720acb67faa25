#ifndef GENZO_TOOLS_TOOL_KEY_COMMAND_H_
#define GENZO_TOOLS_TOOL_KEY_COMMAND_H_

#include <ostream>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "base/api_keys.h"

namespace genzo {

// Adds `key new|list|revoke` to `app`: keeps the file that a server's
// auth.keys_file names. What they print goes to `out`; how the one that was
// called ended to `status`. Both outlive `app`.
void AddKeyCommand(CLI::App& app, std::ostream& out, absl::Status& status);

// The three by themselves. Each replaces the file as a whole, so that a server
// that watches it never sees half of it; one at a time.

// Adds a key to the file, which is made if it is not there, and prints its
// text, which nobody can tell again.
absl::Status NewKey(const std::string& path, const Grant& grant,
                    std::ostream& out);
// Prints a line for every key: id, tenant, scopes, expiry, name; or, as JSON,
// what the file says without salts and hashes.
absl::Status ListKeys(const std::string& path, bool as_json, std::ostream& out);
// Removes the key. NOT_FOUND if there is none of that id.
absl::Status RevokeKey(const std::string& path, const std::string& id);

}  // namespace genzo

#endif  // GENZO_TOOLS_TOOL_KEY_COMMAND_H_
