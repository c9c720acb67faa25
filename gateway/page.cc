#include "gateway/page.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "gateway/door_error.h"

namespace genzo {
namespace {

constexpr size_t kMaxBytes = size_t{64} << 20;
constexpr size_t kMaxFiles = 4096;
// Nothing from elsewhere, nothing inline; pictures may be data and blobs,
// because that is how they come.
constexpr char kContentSecurityPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'";

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return absl::NotFoundError(
        absl::StrCat("http.page: ", path.string(), " cannot be read"));
  }
  return std::string((std::istreambuf_iterator<char>(file)),
                     std::istreambuf_iterator<char>());
}

}  // namespace

std::string MediaTypeOfFile(const std::string& path) {
  static const auto& types = *new std::map<std::string, std::string>{
      {".css", "text/css; charset=utf-8"},
      {".html", "text/html; charset=utf-8"},
      {".ico", "image/x-icon"},
      {".jpg", "image/jpeg"},
      {".js", "text/javascript; charset=utf-8"},
      {".json", "application/json"},
      {".map", "application/json"},
      {".png", "image/png"},
      {".svg", "image/svg+xml"},
      {".txt", "text/plain; charset=utf-8"},
      {".wasm", "application/wasm"},
      {".webmanifest", "application/manifest+json"},
      {".webp", "image/webp"},
      {".woff2", "font/woff2"}};
  const auto found =
      types.find(std::filesystem::path(path).extension().string());
  return found == types.end() ? "application/octet-stream" : found->second;
}

absl::StatusOr<Page> Page::Read(const std::string& folder) {
  namespace fs = std::filesystem;
  Page page;
  std::map<std::string, std::string> zipped;
  size_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator entries(folder, error);
  for (; !error && entries != fs::recursive_directory_iterator();
       entries.increment(error)) {
    if (!entries->is_regular_file() || entries->is_symlink()) continue;
    auto content = ReadFile(entries->path());
    if (!content.ok()) return content.status();
    bytes += content->size();
    if (bytes > kMaxBytes || page.files_.size() >= kMaxFiles) {
      return absl::ResourceExhaustedError(
          absl::StrCat("http.page ", folder, " has more than ", kMaxFiles,
                       " files or ", kMaxBytes, " bytes"));
    }
    const std::string path = absl::StrCat(
        "/", entries->path().lexically_relative(folder).generic_string());
    if (absl::EndsWith(path, ".gz")) {
      zipped[path.substr(0, path.size() - 3)] = *std::move(content);
      continue;
    }
    const std::string tag = absl::StrCat(
        "\"", absl::BytesToHexString(Sha256(*content).substr(0, 16)), "\"");
    page.files_[path] = {.bytes = *std::move(content),
                         .gzip = "",
                         .type = MediaTypeOfFile(path),
                         .tag = tag};
  }
  for (auto& [path, content] : zipped) {
    const auto found = page.files_.find(path);
    if (found != page.files_.end()) found->second.gzip = std::move(content);
  }
  if (!error && page.files_.count("/index.html") > 0) return page;
  return absl::NotFoundError(
      absl::StrCat("http.page ", folder, " has no index.html"));
}

std::vector<Route> Page::routes() const {
  return {
      {.method = "GET",
       .pattern = "/{*}",
       .handler = [this](
                      HttpRequest request,
                      HttpExchangeRef exchange) { Send(request, *exchange); },
       .has =
           [this](const std::string& path) { return files_.count(path) > 0; }}};
}

void Page::Send(const HttpRequest& request, HttpExchange& exchange) const {
  const std::string path = request.path == "/" ? "/index.html" : request.path;
  const auto found = files_.find(path);
  if (found == files_.end()) {
    return exchange.Send(
        ErrorResponse(DoorOf(request.path), 404,
                      absl::StrCat("there is no ", request.path, " here")));
  }
  const File& file = found->second;
  // Files in assets/ have their digest in their names.
  const bool is_fixed = absl::StartsWith(path, "/assets/");
  HttpResponse response = {
      .content_type = file.type,
      .headers = {
          {"etag", file.tag},
          {"cache-control",
           is_fixed ? "public, max-age=31536000, immutable" : "no-cache"},
          {"content-security-policy", kContentSecurityPolicy},
          {"referrer-policy", "no-referrer"},
          {"cross-origin-opener-policy", "same-origin"},
          {"vary", "accept-encoding"}}};
  if (request.Header("if-none-match") == file.tag) {
    response.status = 304;
    return exchange.Send(std::move(response));
  }
  if (!file.gzip.empty() &&
      absl::StrContains(request.Header("accept-encoding"), "gzip")) {
    response.headers.emplace_back("content-encoding", "gzip");
    response.body = file.gzip;
  } else {
    response.body = file.bytes;
  }
  exchange.Send(std::move(response));
}

}  // namespace genzo
