#ifndef GENZO_CLIENT_COMPLETIONS_H_
#define GENZO_CLIENT_COMPLETIONS_H_

#include <functional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "client/served_names.h"

namespace genzo {

// Names of a kind that the server at an address knows.
using FindNames = std::function<std::vector<std::string>(
    const std::string& server, NameKind kind)>;

// What the last of `words` may become, a command line with the program's name
// first and a last word that is being typed: subcommands, options, or an
// option's values, sorted. Empty where a file or a free text stands. Asks
// `find_names` only where such a name is typed, and at the address of `words`,
// or at `server` if they have none.
std::vector<std::string> Completions(const CLI::App& app,
                                     const std::vector<std::string>& words,
                                     const std::string& server,
                                     const FindNames& find_names);

}  // namespace genzo

#endif  // GENZO_CLIENT_COMPLETIONS_H_
