#include "worker/device/memory_figures.h"

#include <exception>

#include "c10/core/CachingDeviceAllocator.h"
#include "prometheus/metric_family.h"

namespace genzo {
namespace {

// What LibTorch says of a device; nothing of one that cannot be asked.
std::vector<std::pair<std::string, double>> MemoryOf(
    const c10::Device& device) {
  try {
    c10::DeviceAllocator* const allocator =
        c10::getDeviceAllocator(device.type());
    const auto stats = allocator->getDeviceStats(device.index());
    const auto all =
        static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    const auto [free, total] = allocator->getMemoryInfo(device.index());
    return {
        {"allocated", static_cast<double>(stats.allocated_bytes[all].current)},
        {"reserved", static_cast<double>(stats.reserved_bytes[all].current)},
        {"free", static_cast<double>(free)},
        {"total", static_cast<double>(total)}};
  } catch (const std::exception&) {
    return {};  // a broken device; those who compute on it hear of it
  }
}

}  // namespace

std::vector<prometheus::MetricFamily> DeviceMemoryFigures::Collect() const {
  prometheus::MetricFamily family;
  family.name = "genzo_device_memory_bytes";
  family.type = prometheus::MetricType::Gauge;
  for (const auto& [device, name] : devices_) {
    if (device.is_cpu()) continue;
    for (const auto& [kind, bytes] : MemoryOf(device)) {
      prometheus::ClientMetric metric;
      metric.label = {{"device", name}, {"kind", kind}};
      metric.gauge.value = bytes;
      family.metric.push_back(std::move(metric));
    }
  }
  if (family.metric.empty()) return {};
  return {family};
}

}  // namespace genzo
