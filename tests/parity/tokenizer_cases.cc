#include "absl/strings/str_cat.h"
#include "tests/parity/cases.h"
#include "worker/text/clip_tokenizer.h"
#include "worker/text/t5_tokenizer.h"

namespace genzo::parity {
namespace {

template <typename Tokenizer>
void CompareTexts(const nlohmann::json& expected, const std::string& folder,
                  Report& report) {
  const auto tokenizer = Tokenizer::Read(folder);
  if (!tokenizer.ok()) {
    return report.Fail(std::string(tokenizer.status().message()));
  }
  double different = 0;
  for (const auto& entry : expected["entries"]) {
    const std::string text = entry["text"];
    if (tokenizer->Encode(text) == entry["ids"].get<std::vector<int64_t>>()) {
      continue;
    }
    report.Fail(absl::StrCat("\"", text, "\""));
    ++different;
  }
  report.Compare("texts", different, 0);
}

}  // namespace

std::vector<Report> RunTokenizerCases(const nlohmann::json& manifest,
                                      const ModelCache& models) {
  std::vector<Report> reports;
  for (const auto& [path, expected] : manifest.items()) {
    Report& report = reports.emplace_back(absl::StrCat("tokenizer ", path));
    const std::string type = expected["class"];
    if (type == "CLIPTokenizer") {
      CompareTexts<ClipTokenizer>(expected, models.Path(path), report);
    } else if (type == "T5Tokenizer") {
      CompareTexts<T5Tokenizer>(expected, models.Path(path), report);
    } else {
      report.Unsupported(absl::StrCat("class ", type));
    }
  }
  return reports;
}

}  // namespace genzo::parity
