#include "client/server_figures.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/utf8.h"

namespace genzo {
namespace {

using Json = nlohmann::ordered_json;
using Labels = MetricsSample::Labels;

// Reads `a="b",c="d"}` up to the brace, which is taken too; false if it is
// something else.
bool ReadLabels(absl::string_view& text, Labels& labels) {
  while (!text.empty() && text[0] != '}') {
    const size_t equals = text.find("=\"");
    if (equals == absl::string_view::npos) return false;
    const std::string name(text.substr(0, equals));
    text.remove_prefix(equals + 2);
    size_t end = 0;
    while (end < text.size() && text[end] != '"') {
      end += text[end] == '\\' ? 2 : 1;
    }
    if (end >= text.size()) return false;
    std::string value;
    if (!absl::CUnescape(text.substr(0, end), &value)) return false;
    labels[name] = value;
    text.remove_prefix(end + 1);
    if (!text.empty() && text[0] == ',') text.remove_prefix(1);
  }
  if (text.empty()) return false;
  text.remove_prefix(1);
  return true;
}

bool Has(const Labels& all, const Labels& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
    const auto found = all.find(label.first);
    return found != all.end() && found->second == label.second;
  });
}

// What happened between two samples.
class Change {
 public:
  Change(const MetricsSample& before, const MetricsSample& now,
         absl::Duration between)
      : before_(before), now_(now), seconds_(absl::ToDoubleSeconds(between)) {}

  // A server that started anew counts from 0.
  double Rise(const std::string& name, const Labels& labels = {}) const {
    return std::max(0.0, now_.Sum(name, labels) - before_.Sum(name, labels));
  }
  double Rate(const std::string& name, const Labels& labels = {}) const {
    return seconds_ > 0 ? Rise(name, labels) / seconds_ : 0;
  }
  Json Ratio(const std::string& part, const std::string& whole,
             const Labels& labels) const {
    const double total = Rise(whole, labels);
    return total > 0 ? Json(Rise(part, labels) / total) : Json();
  }
  // Of a histogram.
  Json Mean(const std::string& name, const Labels& labels) const {
    return Ratio(name + "_sum", name + "_count", labels);
  }

 private:
  const MetricsSample& before_;
  const MetricsSample& now_;
  const double seconds_;
};

Json JobsOf(const MetricsSample& now, const Change& change) {
  Json waiting;
  for (const char* priority : {"high", "normal", "low"}) {
    waiting[priority] = now.Sum("genzo_queue_depth", {{"priority", priority}});
  }
  return {{"waiting", now.Sum("genzo_queue_depth")},
          {"waiting_by_priority", waiting},
          {"waiting_cost_units", now.Sum("genzo_queue_cost_units")},
          {"oldest_seconds", now.Sum("genzo_queue_oldest_age_seconds")},
          {"running", now.Sum("genzo_jobs_running")},
          {"ended_per_second", change.Rate("genzo_jobs_total")},
          {"bad_per_second",
           change.Rate("genzo_jobs_total", {{"outcome", "failed"}}) +
               change.Rate("genzo_jobs_total", {{"outcome", "expired"}})},
          {"refused_per_second", change.Rate("genzo_shed_total")}};
}

Json DeviceOf(const MetricsSample& now, const Change& change,
              const std::string& device) {
  const Labels labels = {{"device", device}};
  Json memory;
  for (const std::string& kind :
       now.Values("genzo_device_memory_bytes", "kind")) {
    const double bytes = now.Sum("genzo_device_memory_bytes",
                                 {{"device", device}, {"kind", kind}});
    if (bytes > 0) memory[kind] = bytes;
  }
  return {{"device", device},
          {"up", now.Sum("genzo_device_up", labels) > 0},
          {"images", now.Sum("genzo_device_live_images", labels)},
          {"busy", change.Rate("genzo_device_busy_seconds_total", labels)},
          {"adapters", now.Sum("genzo_device_adapters", labels)},
          {"memory_bytes", memory}};
}

Json ModelOf(const MetricsSample& now, const Change& change,
             const std::string& model) {
  const Labels labels = {{"model", model}};
  const auto stage = [&](const char* name) {
    return change.Mean("genzo_job_duration_seconds",
                       {{"model", model}, {"stage", name}});
  };
  const double core = change.Rise("genzo_compute_seconds_total", labels);
  const double steps = change.Rise("genzo_denoise_steps_total", labels);
  return {
      {"model", model},
      {"loaded", now.Sum("genzo_model_loaded", labels) > 0},
      {"weight_bytes",
       now.Sum("genzo_model_bytes", {{"model", model}, {"kind", "weights"}})},
      {"waiting", now.Sum("genzo_queue_depth", labels)},
      {"running", now.Sum("genzo_jobs_running", labels)},
      {"images_per_second", change.Rate("genzo_images_total", labels)},
      {"previews_per_second", change.Rate("genzo_previews_total", labels)},
      {"steps_per_second", change.Rate("genzo_denoise_steps_total", labels)},
      {"evaluations_per_second",
       change.Rate("genzo_denoise_batches_total", labels)},
      {"rows", change.Mean("genzo_batch_size", labels)},
      {"row_cap", now.Sum("genzo_row_cap", labels)},
      {"occupancy",
       change.Ratio("genzo_batch_size_sum", "genzo_row_places_total", labels)},
      {"evaluation_seconds",
       change.Mean("genzo_step_duration_seconds", labels)},
      {"overhead_seconds", change.Mean("genzo_step_overhead_seconds", labels)},
      {"compute_seconds_per_step", steps > 0 ? Json(core / steps) : Json()},
      {"first_preview_seconds",
       change.Mean("genzo_time_to_first_preview_seconds", labels)},
      {"job_seconds",
       {{"queue", stage("queue")},
        {"encode", stage("encode")},
        {"denoise", stage("denoise")},
        {"decode", stage("decode")},
        {"total", stage("total")}}}};
}

// "0.0123" of a number, "-" of what was not measured.
std::string Seconds(const Json& value) {
  if (value.is_null()) return "-";
  const double seconds = value;
  return seconds < 0.1 ? absl::StrFormat("%.1f ms", seconds * 1e3)
                       : absl::StrFormat("%.2f s", seconds);
}

std::string Percent(const Json& value) {
  if (value.is_null()) return "-";
  return absl::StrFormat("%.0f %%", value.get<double>() * 100);
}

std::string Megabytes(double bytes) {
  return bytes >= 1e10 ? absl::StrFormat("%.1f GB", bytes / 1e9)
                       : absl::StrFormat("%.0f MB", bytes / 1e6);
}

std::string MemoryText(const Json& memory) {
  std::string text;
  if (!memory.is_object()) return text;
  for (const auto& [kind, bytes] : memory.items()) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", kind, " ",
                    Megabytes(bytes));
  }
  return text;
}

std::string DeviceLine(const Json& device) {
  return absl::StrFormat(
      "%-10s %-4s %6.0f %7s %8.0f  %s",
      Printable(device["device"].get<std::string>()),
      device["up"].get<bool>() ? "yes" : "OUT", device["images"].get<double>(),
      Percent(device["busy"]), device["adapters"].get<double>(),
      MemoryText(device["memory_bytes"]));
}

std::string ModelLine(const Json& model) {
  const std::string rows =
      model["rows"].is_null()
          ? "-"
          : absl::StrFormat("%.1f/%.0f", model["rows"].get<double>(),
                            model["row_cap"].get<double>());
  const Json& job = model["job_seconds"];
  return absl::StrFormat(
      "%-16s %-8s %4.0f %4.0f %7.1f %8.1f %8s %6s %9s %9s %9s %9s %9s",
      Printable(model["model"].get<std::string>()),
      model["loaded"].get<bool>() ? Megabytes(model["weight_bytes"]) : "-",
      model["waiting"].get<double>(), model["running"].get<double>(),
      model["images_per_second"].get<double>(),
      model["steps_per_second"].get<double>(), rows,
      Percent(model["occupancy"]), Seconds(model["evaluation_seconds"]),
      Seconds(model["overhead_seconds"]), Seconds(job["queue"]),
      Seconds(model["first_preview_seconds"]), Seconds(job["total"]));
}

}  // namespace

MetricsSample MetricsSample::Parse(absl::string_view page) {
  MetricsSample sample;
  for (absl::string_view line : absl::StrSplit(page, '\n')) {
    const size_t name_end = line.find_first_of("{ ");
    if (line.empty() || line[0] == '#' || name_end == absl::string_view::npos) {
      continue;
    }
    const std::string name(line.substr(0, name_end));
    line.remove_prefix(name_end);
    Row row = {};
    if (line[0] == '{') {
      line.remove_prefix(1);
      if (!ReadLabels(line, row.labels)) continue;
    }
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.empty() || !absl::SimpleAtod(words[0], &row.value)) continue;
    sample.rows_[name].push_back(std::move(row));
  }
  return sample;
}

double MetricsSample::Sum(const std::string& name, const Labels& labels) const {
  const auto found = rows_.find(name);
  if (found == rows_.end()) return 0;
  double sum = 0;
  for (const Row& row : found->second) {
    if (Has(row.labels, labels)) sum += row.value;
  }
  return sum;
}

std::set<std::string> MetricsSample::Values(const std::string& name,
                                            const std::string& label) const {
  std::set<std::string> values;
  const auto found = rows_.find(name);
  if (found == rows_.end()) return values;
  for (const Row& row : found->second) {
    const auto value = row.labels.find(label);
    if (value != row.labels.end()) values.insert(value->second);
  }
  return values;
}

Labels MetricsSample::LabelsOf(const std::string& name) const {
  const auto found = rows_.find(name);
  return found == rows_.end() ? Labels() : found->second[0].labels;
}

Json FiguresOf(const MetricsSample& before, const MetricsSample& now,
               absl::Duration between) {
  const Change change(before, now, between);
  Json build = Json::object();
  for (const auto& [name, value] : now.LabelsOf("genzo_build_info")) {
    build[name] = value;
  }
  Json devices = Json::array();
  for (const std::string& device : now.Values("genzo_device_up", "device")) {
    devices.push_back(DeviceOf(now, change, device));
  }
  Json models = Json::array();
  for (const std::string& model : now.Values("genzo_model_loaded", "model")) {
    models.push_back(ModelOf(now, change, model));
  }
  return {{"ready", now.Sum("genzo_ready") > 0},
          {"build", build},
          {"started_at", now.Sum("process_start_time_seconds")},
          {"jobs", JobsOf(now, change)},
          {"steps_saved_per_second", change.Rate("genzo_steps_saved_total")},
          {"streams", now.Sum("genzo_streams")},
          {"http_requests", now.Sum("genzo_http_requests_in_flight")},
          {"undelivered_bytes", now.Sum("genzo_undelivered_bytes")},
          {"cores", change.Rate("process_cpu_seconds_total")},
          {"resident_bytes", now.Sum("process_resident_memory_bytes")},
          {"descriptors", now.Sum("process_open_fds")},
          {"devices", devices},
          {"models", models}};
}

std::vector<std::string> FigureLines(const Json& figures, size_t columns) {
  const Json& jobs = figures["jobs"];
  const Json& waiting = jobs["waiting_by_priority"];
  const Json& build = figures["build"];
  std::vector<std::string> lines;
  lines.push_back(
      absl::StrFormat("genzo %s  %s  LibTorch %s", build.value("version", "?"),
                      figures["ready"].get<bool>() ? "ready" : "NOT READY",
                      build.value("libtorch", "?")));
  lines.push_back(absl::StrFormat(
      "waiting %.0f (high %.0f, normal %.0f, low %.0f; %.1f cost units), "
      "oldest "
      "%s; running %.0f",
      jobs["waiting"].get<double>(), waiting["high"].get<double>(),
      waiting["normal"].get<double>(), waiting["low"].get<double>(),
      jobs["waiting_cost_units"].get<double>(), Seconds(jobs["oldest_seconds"]),
      jobs["running"].get<double>()));
  lines.push_back(absl::StrFormat(
      "a second: %.1f jobs ended, %.1f badly, %.1f refused, %.1f steps spared",
      jobs["ended_per_second"].get<double>(),
      jobs["bad_per_second"].get<double>(),
      jobs["refused_per_second"].get<double>(),
      figures["steps_saved_per_second"].get<double>()));
  lines.push_back(absl::StrFormat(
      "%.0f streams, %.0f HTTP requests, %s held; %.2f cores, %s, %.0f "
      "descriptors",
      figures["streams"].get<double>(), figures["http_requests"].get<double>(),
      Megabytes(figures["undelivered_bytes"]), figures["cores"].get<double>(),
      Megabytes(figures["resident_bytes"]),
      figures["descriptors"].get<double>()));
  lines.emplace_back();
  lines.push_back(absl::StrFormat("%-10s %-4s %6s %7s %8s  %s", "DEVICE", "UP",
                                  "IMAGES", "BUSY", "ADAPTERS", "MEMORY"));
  for (const Json& device : figures["devices"]) {
    lines.push_back(DeviceLine(device));
  }
  lines.emplace_back();
  lines.push_back(absl::StrFormat(
      "%-16s %-8s %4s %4s %7s %8s %8s %6s %9s %9s %9s %9s %9s", "MODEL",
      "WEIGHTS", "WAIT", "RUN", "IMAGE/S", "STEP/S", "ROWS", "FULL", "EVALUATE",
      "OVERHEAD", "QUEUED", "PREVIEW", "JOB"));
  for (const Json& model : figures["models"]) {
    lines.push_back(ModelLine(model));
  }
  for (std::string& line : lines) {
    if (line.size() > columns) line.resize(columns);
  }
  return lines;
}

}  // namespace genzo
