// Compares Genzo with goldens of the reference Python pipelines, a line a case.
// Exit status 1 on any FAIL, 2 if there is nothing to compare with.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"
#include "tests/parity/cases.h"
#include "worker/device/device_names.h"

namespace genzo::parity {
namespace {

namespace fs = std::filesystem;

struct Totals {
  int passed = 0;
  int failed = 0;
  int unsupported = 0;
  std::set<std::string> passed_names;
  std::set<std::string> names;

  void Add(const Report& report) {
    std::cout << report.Line() << std::endl;
    names.insert(report.name());
    passed += report.passed() ? 1 : 0;
    if (report.passed()) passed_names.insert(report.name());
    failed += report.failed() ? 1 : 0;
    unsupported += report.unsupported() ? 1 : 0;
  }
};

std::string DefaultReferenceFolder() {
  const char* set = std::getenv("GENZO_REFERENCE_DIR");
  if (set != nullptr && *set != '\0') return set;
  const fs::path source = GENZO_SOURCE_DIR;
  const fs::path shared = source / ".." / "shared" / "reference";
  return (fs::exists(shared / "goldens")
              ? shared
              : source / "tests" / "data" / "reference")
      .string();
}

std::vector<fs::path> Manifests(const fs::path& folder) {
  std::vector<fs::path> manifests;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".json") manifests.push_back(entry.path());
  }
  std::sort(manifests.begin(), manifests.end());
  return manifests;
}

void RunCase(const Golden& golden, const std::string& name, Precision precision,
             ModelCache& models, Totals& totals) {
  Report report(name, precision);
  const std::string kind = golden.manifest.value("kind", "");
  try {
    if (kind == "pipeline" &&
        IsTransformerPipeline(golden.manifest.value("pipeline", ""))) {
      RunTransformerCase(golden, models, report);
    } else if (kind == "pipeline") {
      RunPipelineCase(golden, models, report);
    } else if (kind == "ddim-inversion") {
      RunInversionCase(golden, models, report);
    } else if (kind == "vae-round-trip") {
      RunVaeCase(golden, models, report);
    } else if (kind == "clip-scoring") {
      RunClipScoringCase(golden, models, report);
    } else if (kind == "aesthetic") {
      RunAestheticCase(golden, models, report);
    } else if (kind == "safety-checker") {
      RunSafetyCheckerCase(golden, models, report);
    } else if (kind == "upscaler") {
      RunUpscalerCase(golden, models, report);
    } else {
      report.Unsupported(absl::StrCat("kind ", kind));
    }
  } catch (const std::exception& e) {
    report.Fail(e.what());
  }
  totals.Add(report);
  if (kind != "pipeline" || !report.unsupported()) return;
  if (precision == Precision::kHalf) return;
  const Report network = RunUNetCase(golden, models);
  if (!network.unsupported()) totals.Add(network);
}

// What `path` requires, one name a line, and did not pass; apart from that,
// what the folder has no golden for.
struct Missing {
  std::vector<std::string> failed;
  std::vector<std::string> absent;
};

Missing MissingRequired(const std::string& path, const Totals& totals) {
  Missing missing;
  std::ifstream file(path);
  if (!file) missing.failed.push_back(path);
  std::string name;
  while (std::getline(file, name)) {
    if (totals.passed_names.count(name) > 0) continue;
    const bool seen = totals.names.count(name) > 0;
    (seen ? missing.failed : missing.absent).push_back(name);
  }
  return missing;
}

Totals RunAll(const fs::path& folder, const std::string& filter,
              const Placement& placement) {
  Totals totals;
  const Precision precision =
      placement.dtype == c10::kFloat ? Precision::kFloat32 : Precision::kHalf;
  ModelCache models(folder.string(), placement);
  const auto wanted = [&](const fs::path& manifest) {
    return absl::StrContains(manifest.stem().string(), filter);
  };
  for (const fs::path& manifest : Manifests(folder / "goldens")) {
    const std::string name = manifest.stem().string();
    if (!wanted(manifest) || name == "environment") continue;
    if (name == "tokenizers") {
      if (precision == Precision::kHalf) continue;
      std::ifstream file(manifest);
      const auto json = nlohmann::json::parse(file, nullptr, false);
      for (const Report& report : RunTokenizerCases(json, models)) {
        totals.Add(report);
      }
      continue;
    }
    const auto golden = ReadGolden(fs::path(manifest).replace_extension());
    if (golden.ok()) {
      const bool pictures = golden->Has("image_uint8");
      if (precision == Precision::kHalf && !pictures) continue;
      RunCase(*golden, name, precision, models, totals);
    } else {
      Report report(name);
      report.Fail(std::string(golden.status().message()));
      totals.Add(report);
    }
  }
  for (const fs::path& manifest :
       Manifests(folder / "goldens" / "schedulers")) {
    // Samplers compute in float32 whatever the networks do.
    if (!wanted(manifest) || precision == Precision::kHalf) continue;
    const auto golden = ReadGolden(fs::path(manifest).replace_extension());
    if (!golden.ok()) {
      Report report(manifest.stem().string());
      report.Fail(std::string(golden.status().message()));
      totals.Add(report);
    } else if (golden->manifest["kind"] == "beta-tables") {
      totals.Add(RunBetaTables(*golden));
    } else {
      for (const Report& report : RunSchedulerCases(*golden)) {
        totals.Add(report);
      }
    }
  }
  return totals;
}

int Main(int argc, char** argv) {
  CLI::App app("Compares Genzo with goldens of the reference pipelines.");
  std::string folder = DefaultReferenceFolder();
  std::string filter;
  app.add_option("--reference", folder,
                 "folder with models/ and goldens/ (GENZO_REFERENCE_DIR)");
  std::string required;
  app.add_option("--require", required,
                 "file with the names of cases that must pass, one a line; "
                 "those without a golden in the folder are counted");
  bool complete = false;
  app.add_flag("--complete", complete,
               "required cases without a golden fail as well");
  std::string device = "cpu";
  app.add_option("--device", device, "cpu, cuda or cuda:N")
      ->capture_default_str();
  std::string dtype = "float32";
  app.add_option("--dtype", dtype,
                 "of the networks: float32, bfloat16, float16 or auto; but "
                 "float32, only pictures are compared, to 30 dB")
      ->capture_default_str();
  app.add_option("filter", filter, "run only files whose name contains this");
  CLI11_PARSE(app, argc, argv);
  c10::InferenceMode inference;
  const auto devices = ResolveDevices({device});
  if (!devices.ok()) {
    std::cerr << devices.status().message() << "\n";
    return 2;
  }
  const auto type = ParseDtype(dtype, devices->front());
  if (!type.ok()) {
    std::cerr << type.status().message() << "\n";
    return 2;
  }
  const Totals totals =
      RunAll(folder, filter, {.device = devices->front(), .dtype = *type});
  std::cout << totals.passed << " passed, " << totals.failed << " failed, "
            << totals.unsupported << " unsupported in " << folder << "\n";
  if (!required.empty()) {
    const auto missing = MissingRequired(required, totals);
    for (const std::string& name : missing.failed) {
      std::cout << "required but not passed: " << name << "\n";
    }
    if (complete) {
      for (const std::string& name : missing.absent) {
        std::cout << "required but no golden: " << name << "\n";
      }
    } else {
      std::cout << missing.absent.size() << " required have no golden here\n";
    }
    if (!missing.failed.empty() || (complete && !missing.absent.empty())) {
      return 1;
    }
  }
  if (totals.failed > 0) return 1;
  return totals.passed > 0 ? 0 : 2;
}

}  // namespace
}  // namespace genzo::parity

int main(int argc, char** argv) { return genzo::parity::Main(argc, argv); }
