#include "queue/tenant_shares.h"

namespace genzo {

size_t TotalOf(const TenantCounts& counts) {
  size_t total = 0;
  for (const auto& [tenant, count] : counts) total += count;
  return total;
}

bool IsFull(size_t taken, size_t places) {
  return taken >= kMostOverPlaces * places;
}

std::set<std::string> TenantsWithEnough(const TenantCounts& counts,
                                        size_t places) {
  std::set<std::string> enough;
  if (TotalOf(counts) < places) return enough;
  for (const auto& [tenant, count] : counts) {
    if (count * counts.size() >= places) enough.insert(tenant);
  }
  return enough;
}

size_t PlacesShort(TenantCounts counts, size_t places,
                   const std::string& tenant) {
  counts.try_emplace(tenant, 0);
  const size_t total = TotalOf(counts);
  if (TenantsWithEnough(counts, places).count(tenant) > 0) {
    return total - places + 1;
  }
  return IsFull(total, places) ? total - kMostOverPlaces * places + 1 : 0;
}

}  // namespace genzo
