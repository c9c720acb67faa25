#include "tools/tool/model_report.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/utf8.h"
#include "tools/tool/faulty_tensors.h"
#include "worker/pipeline/pipeline_table.h"
#include "worker/weights/json_config.h"
#include "worker/weights/model_index.h"
#include "worker/weights/single_file/single_file.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr size_t kMostMetadataBytes = 160;
constexpr size_t kMostFaults = 5;  // that are shown of a part
constexpr size_t kMostNames = 3;   // likewise, of tensors that nothing reads
constexpr char kTiny[] = "tiny_vae";

// As Python calls the type.
std::string TypeName(at::ScalarType dtype) {
  static const auto* const names = new std::map<at::ScalarType, std::string>{
      {at::kDouble, "float64"},
      {at::kFloat, "float32"},
      {at::kHalf, "float16"},
      {at::kBFloat16, "bfloat16"},
      {at::kFloat8_e4m3fn, "float8_e4m3fn"},
      {at::kFloat8_e5m2, "float8_e5m2"},
      {at::kLong, "int64"},
      {at::kInt, "int32"}};
  const auto found = names->find(dtype);
  return found == names->end() ? c10::toString(dtype) : found->second;
}

ModelReport::Part Describe(const std::string& component,
                           const std::string& class_name,
                           const TensorSource& tensors) {
  ModelReport::Part part;
  part.component = component;
  part.class_name = class_name;
  for (const auto& [name, entry] : tensors.entries()) {
    ++part.tensors;
    const at::ScalarType stored = entry.stored_dtype.value_or(entry.dtype);
    part.stored_bytes[TypeName(stored)] +=
        entry.elements() * static_cast<int64_t>(c10::elementSize(stored));
    if (c10::isFloatingType(entry.dtype)) part.parameters += entry.elements();
  }
  return part;
}

std::string Megabytes(int64_t bytes) {
  return absl::StrFormat("%.1f MB", static_cast<double>(bytes) / 1e6);
}

std::string Millions(int64_t count) {
  return absl::StrFormat("%.1f M", static_cast<double>(count) / 1e6);
}

// The first bytes of a text, cut between characters.
std::string Beginning(const std::string& text, size_t most_bytes) {
  if (text.size() <= most_bytes) return text;
  size_t end = most_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    --end;
  }
  return text.substr(0, end) + "...";
}

// "2 tensors that nothing reads: a, b".
std::string Unread(const std::vector<std::string>& names) {
  if (names.empty()) return "";
  const size_t shown = std::min(names.size(), kMostNames);
  std::string text =
      absl::StrCat(names.size(), names.size() == 1 ? " tensor" : " tensors",
                   " that nothing reads: ",
                   absl::StrJoin(names.begin(), names.begin() + shown, ", "));
  if (names.size() > shown) text += ", ...";
  return text;
}

// "family      sd1"; nothing for an empty value.
void AddLine(const char* label, const std::string& value, std::string& text) {
  if (value.empty()) return;
  absl::StrAppendFormat(&text, "%-12s%s\n", label, Printable(value));
}

void AddPart(const ModelReport::Part& part, std::string& text) {
  const std::string indent(16, ' ');
  if (!part.component.empty()) {
    absl::StrAppendFormat(&text, "%-16s%s\n", Printable(part.component),
                          Printable(part.class_name));
  }
  absl::StrAppend(&text, part.component.empty() ? "contents        " : indent,
                  part.tensors, " tensors, ", Millions(part.parameters),
                  " parameters");
  for (const auto& [type, bytes] : part.stored_bytes) {
    absl::StrAppend(&text, ", ", type, " ", Megabytes(bytes));
  }
  text += "\n";
  for (size_t i = 0; i < part.faults.size(); ++i) {
    if (i == kMostFaults) {
      absl::StrAppend(&text, indent, "and ", part.faults.size() - i,
                      " more; --json names them\n");
      break;
    }
    absl::StrAppend(&text, indent, Printable(part.faults[i]), "\n");
  }
  if (part.surplus.empty()) return;
  absl::StrAppend(&text, indent, Printable(Unread(part.surplus)), "\n");
}

// What a component has, and lacks; nothing if it has no tensors.
absl::Status AddComponent(const ModelIndex& index, const std::string& component,
                          const std::string& class_name, ModelReport& report) {
  const ComponentFiles files = index.FilesOf(component);
  const auto tensors = files.OpenTensors();
  if (absl::IsNotFound(tensors.status())) return absl::OkStatus();
  if (!tensors.ok()) return tensors.status();
  ModelReport::Part part = Describe(component, class_name, **tensors);
  TensorFaults found = FaultyTensors(index.pipeline_class, class_name, files);
  part.faults = std::move(found.faults);
  part.surplus = std::move(found.surplus);
  report.parts.push_back(std::move(part));
  return absl::OkStatus();
}

// The first component whose tensors are not all there.
std::string ProblemOf(const std::vector<ModelReport::Part>& parts) {
  for (const ModelReport::Part& part : parts) {
    if (part.faults.empty()) continue;
    std::string problem = absl::StrCat(part.component, ": ", part.faults[0]);
    if (part.faults.size() > 1) {
      absl::StrAppend(&problem, ", and ", part.faults.size() - 1, " more");
    }
    return problem;
  }
  return "";
}

// What scheduler_config.json says of the prediction, if anything.
std::string Prediction(const ModelIndex& index) {
  auto config = JsonConfig::ReadFile(
      index.FilesOf("scheduler").At("scheduler_config.json"));
  return config.ok() ? config->String("prediction_type", "") : "";
}

absl::StatusOr<ModelReport> InspectFile(const ModelFiles& model) {
  const auto tensors = OpenTensorFile(model.path);
  if (!tensors.ok()) return tensors.status();
  ModelReport report;
  report.path = model.path;
  report.metadata = (*tensors)->metadata();
  const auto file = ReadSingleFile(*tensors);
  if (!file.ok()) {
    report.problem = (*tensors)->entries().empty()
                         ? "holds no tensors"
                         : std::string(absl::StripPrefix(
                               file.status().message(), model.path + ": "));
    // What it holds is worth knowing, too.
    report.parts.push_back(Describe("", "", **tensors));
    return report;
  }
  report.family = file->family;
  report.missing = file->missing;
  report.surplus = SurplusOf(*file, **tensors);
  return report;
}

}  // namespace

absl::StatusOr<ModelReport> InspectModel(const ModelFiles& model) {
  std::error_code ignored;
  ModelReport report;
  report.path = model.path;
  if (std::filesystem::is_regular_file(model.path, ignored)) {
    auto inspected = InspectFile(model);
    if (!inspected.ok() || !inspected->problem.empty()) return inspected;
    report = *std::move(inspected);
  }
  const auto index = OpenModelIndex(model);
  if (!index.ok()) return index.status();
  report.pipeline_class = index->pipeline_class;
  report.prediction = Prediction(*index);
  // Which no index names.
  std::map<std::string, std::string> components = index->components;
  components.emplace(kTiny, "AutoencoderTiny");
  for (const auto& [component, class_name] : components) {
    const absl::Status added =
        AddComponent(*index, component, class_name, report);
    if (!added.ok()) return added;
  }
  std::vector<std::string> missing;
  for (const std::string& component : report.missing) {
    if (!index->Has(component)) missing.push_back(component);
  }
  report.missing = std::move(missing);
  report.problem = ProblemOf(report.parts);
  if (!report.problem.empty() || !report.missing.empty()) return report;
  const absl::Status served = DescribePipeline(model, Placement()).status();
  if (!served.ok()) {
    report.problem =
        std::string(absl::StripPrefix(served.message(), model.path + ": "));
  }
  return report;
}

int64_t ModelReport::parameters() const {
  int64_t all = 0;
  for (const Part& part : parts) all += part.parameters;
  return all;
}

int64_t ModelReport::stored_bytes() const {
  int64_t all = 0;
  for (const Part& part : parts) {
    for (const auto& type : part.stored_bytes) all += type.second;
  }
  return all;
}

nlohmann::json ModelReport::ToJson() const {
  json all = json::array();
  for (const Part& part : parts) {
    all.push_back({{"component", part.component},
                   {"class", part.class_name},
                   {"tensors", part.tensors},
                   {"parameters", part.parameters},
                   {"stored_bytes", part.stored_bytes},
                   {"faults", part.faults},
                   {"surplus", part.surplus}});
  }
  return {{"path", path},
          {"problem", problem},
          {"family", family},
          {"pipeline_class", pipeline_class},
          {"prediction_type", prediction},
          {"parts", all},
          {"parameters", parameters()},
          {"stored_bytes", stored_bytes()},
          {"memory_bytes",
           {{"float32", parameters() * 4}, {"bfloat16", parameters() * 2}}},
          {"missing", missing},
          {"surplus", surplus},
          {"metadata", metadata}};
}

std::string ModelReport::ToText() const {
  std::string text = absl::StrCat(Printable(path), "\n");
  AddLine("problem", problem, text);
  AddLine("family", family, text);
  AddLine("pipeline", pipeline_class, text);
  AddLine("prediction", prediction, text);
  for (const Part& part : parts) AddPart(part, text);
  AddLine("memory",
          absl::StrCat(Megabytes(parameters() * 2), " as bfloat16 or float16, ",
                       Megabytes(parameters() * 4), " as float32"),
          text);
  AddLine("missing", absl::StrJoin(missing, ", "), text);
  AddLine("surplus", Unread(surplus), text);
  for (const auto& [key, value] : metadata) {
    AddLine("metadata",
            absl::StrCat(key, ": ", Beginning(value, kMostMetadataBytes)),
            text);
  }
  return text;
}

}  // namespace genzo
