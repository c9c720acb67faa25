#ifndef GENZO_BASE_TENANT_TOTALS_H_
#define GENZO_BASE_TENANT_TOTALS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace genzo {

// How much each tenant has, of bytes or of streams. One that has nothing is not
// remembered, however often it is asked for: their names may come from outside,
// without end. Not thread-safe.
class TenantTotals {
 public:
  // `more` may be negative.
  void Add(const std::string& tenant, int64_t more) {
    const auto found = totals_.try_emplace(tenant).first;
    if ((found->second += more) == 0) totals_.erase(found);
  }

  int64_t Of(const std::string& tenant) const {
    const auto found = totals_.find(tenant);
    return found == totals_.end() ? 0 : found->second;
  }

  // Tenants that are remembered.
  size_t Count() const { return totals_.size(); }

 private:
  std::map<std::string, int64_t> totals_;
};

}  // namespace genzo

#endif  // GENZO_BASE_TENANT_TOTALS_H_
