#include "absl/strings/str_cat.h"
#include "tests/parity/cases.h"
#include "worker/text/clip_tokenizer.h"

namespace genzo::parity {

std::vector<Report> RunTokenizerCases(const nlohmann::json& manifest,
                                      const ModelCache& models) {
  std::vector<Report> reports;
  for (const auto& [path, expected] : manifest.items()) {
    Report& report = reports.emplace_back(absl::StrCat("tokenizer ", path));
    const std::string type = expected["class"];
    if (type != "CLIPTokenizer") {
      report.Unsupported(absl::StrCat("class ", type));
      continue;
    }
    const auto tokenizer = ClipTokenizer::Read(models.Path(path));
    if (!tokenizer.ok()) {
      report.Fail(std::string(tokenizer.status().message()));
      continue;
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
  return reports;
}

}  // namespace genzo::parity
