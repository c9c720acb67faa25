#include "tools/tool/key_command.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/durable_file.h"
#include "base/folder_lock.h"
#include "base/utf8.h"
#include "client/number_range.h"
#include "nlohmann/json.hpp"

namespace genzo {
namespace {

absl::StatusOr<std::vector<StoredKey>> ReadKeys(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return absl::NotFoundError(absl::StrCat(path, " cannot be read"));
  }
  const std::string text((std::istreambuf_iterator<char>(file)),
                         std::istreambuf_iterator<char>());
  auto keys = ParseKeys(text);
  if (keys.ok()) return keys;
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": ", keys.status().message()));
}

// Holds others off from when the keys are read until they are written.
FolderLock LockOf(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  return FolderLock::Await(parent.empty() ? "." : parent.string());
}

std::string DateOf(absl::Time time) {
  return time == absl::InfiniteFuture()
             ? "never"
             : absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time,
                                absl::UTCTimeZone());
}

// "  max_steps 20, models emaki"; empty where nothing but the server limits it.
std::string LimitsOf(const Grant& grant) {
  std::vector<std::string> limits;
  const Grant usual;
  std::map<std::string, double> before;
  ForEachLimit(usual, [&](const char* name, auto value, auto, auto) {
    before[name] = static_cast<double>(value);
  });
  ForEachLimit(grant, [&](const char* name, auto value, auto, auto) {
    if (static_cast<double>(value) == before[name]) return;
    limits.push_back(absl::StrCat(name, " ", value));
  });
  if (!grant.models.empty()) {
    limits.push_back(absl::StrCat("models ", absl::StrJoin(grant.models, ",")));
  }
  if (grant.names_tenants) limits.emplace_back("names tenants");
  return limits.empty() ? "" : absl::StrCat("  ", absl::StrJoin(limits, "; "));
}

// What the command line says; lives as long as the options that write it.
struct KeyOptions {
  std::string file;
  Grant grant;
  std::vector<std::string> scopes = {kScopeGenerate, kScopeJobs};
  std::vector<std::string> models;
  std::optional<double> days;
  bool json = false;
  std::string id;
};

void AddNew(CLI::App& key, const std::shared_ptr<KeyOptions>& options,
            std::ostream& out, absl::Status& status) {
  CLI::App& command =
      *key.add_subcommand("new", "makes a key and prints it, this once");
  Grant& grant = options->grant;
  command.add_option("--file", options->file, "the keys file")->required();
  command.add_option("--name", grant.name, "for those who keep the keys");
  command.add_option("--tenant", grant.tenant,
                     "whose share its jobs use, and whose jobs it sees; its "
                     "own, called as its id, if absent");
  command.add_flag("--names-tenants", grant.names_tenants,
                   "its x-genzo-tenant is believed");
  command.add_option("--scopes", options->scopes, "of generate, jobs, admin")
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("--weight", grant.weight, "share against other tenants")
      ->capture_default_str();
  command.add_option("--models", options->models, "that it may use; all")
      ->delimiter(',');
  command.add_option("--max-pixels", grant.max_pixels, "width times height");
  command.add_option("--max-steps", grant.max_steps, "of a request");
  command.add_option("--cost-per-minute", grant.cost_per_minute,
                     "cost units: rows x megapixels x steps");
  command.add_option("--burst-cost", grant.burst_cost,
                     "cost units at once; a minute's");
  command.add_option("--max-jobs", grant.max_jobs, "that wait or run");
  command.add_option("--max-queued-jobs", grant.max_queued_jobs, "that wait");
  command.add_option("--days", options->days, "until it expires; never")
      ->check(NumberRange(1e-6, 1e6));
  command.callback([options, &out, &status] {
    Grant& made = options->grant;
    made.scopes = {options->scopes.begin(), options->scopes.end()};
    made.models = {options->models.begin(), options->models.end()};
    if (options->days.has_value()) {
      made.expires = Clock::Real().Date() + absl::Hours(24 * *options->days);
    }
    status = NewKey(options->file, made, out);
  });
}

}  // namespace

absl::Status NewKey(const std::string& path, const Grant& grant,
                    std::ostream& out) {
  const absl::Status checked = CheckGrant(grant);
  if (!checked.ok()) return checked;
  const FolderLock lock = LockOf(path);
  std::vector<StoredKey> keys;
  if (std::filesystem::exists(path)) {
    auto read = ReadKeys(path);
    if (!read.ok()) return read.status();
    keys = *std::move(read);
  }
  const MadeKey key = MakeKey(grant, Clock::Real().Date());
  keys.push_back(key.stored);
  const absl::Status written = WriteDurably(path, FormatKeys(keys));
  if (!written.ok()) return written;
  out << key.text << std::endl;
  if (out.good()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("key ", key.stored.grant.key_id,
                   " is made but cannot be printed, now or later: revoke it"));
}

absl::Status ListKeys(const std::string& path, bool as_json,
                      std::ostream& out) {
  const auto keys = ReadKeys(path);
  if (!keys.ok()) return keys.status();
  if (as_json) {
    nlohmann::json root = nlohmann::json::parse(FormatKeys(*keys));
    for (nlohmann::json& key : root["keys"]) {
      key.erase("salt");
      key.erase("hash");
    }
    out << root.dump(2) << std::endl;
    return absl::OkStatus();
  }
  for (const StoredKey& key : *keys) {
    const Grant& grant = key.grant;
    out << grant.key_id << "  " << (grant.tenant.empty() ? "-" : grant.tenant)
        << "  " << absl::StrJoin(grant.scopes, ",") << "  expires "
        << DateOf(grant.expires) << "  " << Printable(grant.name)
        << LimitsOf(grant) << std::endl;
  }
  return absl::OkStatus();
}

absl::Status RevokeKey(const std::string& path, const std::string& id) {
  const FolderLock lock = LockOf(path);
  auto keys = ReadKeys(path);
  if (!keys.ok()) return keys.status();
  const auto found = std::find_if(
      keys->begin(), keys->end(),
      [&](const StoredKey& key) { return key.grant.key_id == id; });
  if (found == keys->end()) {
    return absl::NotFoundError(
        absl::StrCat("key \"", id, "\" is not in ", path));
  }
  keys->erase(found);
  return WriteDurably(path, FormatKeys(*keys));
}

void AddKeyCommand(CLI::App& app, std::ostream& out, absl::Status& status) {
  const auto options = std::make_shared<KeyOptions>();
  CLI::App& key = *app.add_subcommand("key", "keeps a server's API keys");
  key.require_subcommand(1);
  AddNew(key, options, out, status);
  CLI::App& list = *key.add_subcommand("list", "prints what is known of keys");
  list.add_option("--file", options->file, "the keys file")->required();
  list.add_flag("--json", options->json, "as JSON");
  list.callback([options, &out, &status] {
    status = ListKeys(options->file, options->json, out);
  });
  CLI::App& revoke = *key.add_subcommand("revoke", "removes a key");
  revoke.add_option("--file", options->file, "the keys file")->required();
  revoke.add_option("id", options->id, "of the key, as list prints it")
      ->required();
  revoke.callback(
      [options, &status] { status = RevokeKey(options->file, options->id); });
}

}  // namespace genzo
