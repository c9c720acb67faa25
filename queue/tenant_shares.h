#ifndef GENZO_QUEUE_TENANT_SHARES_H_
#define GENZO_QUEUE_TENANT_SHARES_H_

#include <cstddef>
#include <map>
#include <set>
#include <string>

namespace genzo {

// Places that are shared by tenants: runs on a device, jobs in a queue. Whoever
// comes first may fill them. Beyond that only tenants with less than an equal
// share get more, so that a flood of one keeps nobody else out, until there are
// kMostOverPlaces times as many in all.
constexpr size_t kMostOverPlaces = 2;

// How many places each tenant has.
using TenantCounts = std::map<std::string, size_t>;
size_t TotalOf(const TenantCounts& counts);

// Whether nobody may have another of `places` when so many are `taken`.
bool IsFull(size_t taken, size_t places);

// Who may not have another of `places` while it is not full.
std::set<std::string> TenantsWithEnough(const TenantCounts& counts,
                                        size_t places);

// How many places must become free before `tenant` may have another: 0 if there
// is room.
size_t PlacesShort(TenantCounts counts, size_t places,
                   const std::string& tenant);

}  // namespace genzo

#endif  // GENZO_QUEUE_TENANT_SHARES_H_
