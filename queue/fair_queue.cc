#include "queue/fair_queue.h"

#include <algorithm>

namespace genzo {
namespace {

// Whether a job of this model may be taken at all, however long it waits.
bool MayTake(const TakeRules& rules, const std::string& model) {
  return !rules.only_preferred || rules.preferred_models.count(model) > 0;
}

}  // namespace

FairQueueItem QueueItem(const std::string& id, const JobWork& work,
                        absl::Time due) {
  return {.id = id,
          .tenant = work.tenant,
          .weight = work.weight,
          .cost = static_cast<double>(work.pixels) * work.rows * work.images *
                  work.steps,
          .due = due,
          .model = work.model};
}

void FairQueue::Push(FairQueueItem item) {
  const auto [place, is_new] =
      flows_.try_emplace({item.tenant, item.weight}, Flow());
  Flow& flow = place->second;
  if (is_new) flow.served = level_;
  const auto after =
      std::upper_bound(flow.items.begin(), flow.items.end(), item.due,
                       [](absl::Time due, const Waiting& other) {
                         return due < other.item.due;
                       });
  flow.items.insert(after, {std::move(item), /*passes=*/0});
  ++size_;
}

std::optional<FairQueueItem> FairQueue::Pop(const TakeRules& rules) {
  std::vector<std::map<FlowKey, Flow>::iterator> order;
  for (auto it = flows_.begin(); it != flows_.end(); ++it) {
    if (rules.except_tenants.count(it->first.first) == 0) order.push_back(it);
  }
  if (order.empty()) return std::nullopt;
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) {
                     return a->second.served < b->second.served;
                   });
  Waiting& first = order.front()->second.items.front();
  if (rules.leave_to_others && left_ < kMaxPasses) {
    ++left_;
    return std::nullopt;
  }
  if (!rules.leave_to_others) left_ = 0;
  const auto preferred = [&](const Waiting& waiting) {
    return MayTake(rules, waiting.item.model) &&
           (rules.preferred_models.empty() ||
            rules.preferred_models.count(waiting.item.model) > 0 ||
            waiting.passes >= kMaxPasses);
  };
  auto flow = order.front();
  auto place = flow->second.items.begin();
  for (const auto candidate : order) {
    auto& items = candidate->second.items;
    const auto found = std::find_if(items.begin(), items.end(), preferred);
    if (found == items.end()) continue;
    flow = candidate;
    place = found;
    break;
  }
  if (!MayTake(rules, place->item.model)) return std::nullopt;
  if (&*place != &first) ++first.passes;
  FairQueueItem item = std::move(place->item);
  level_ = std::max(level_, flow->second.served);
  flow->second.served += item.cost / item.weight;
  flow->second.items.erase(place);
  if (flow->second.items.empty()) flows_.erase(flow);
  --size_;
  return item;
}

bool FairQueue::HasFor(const TakeRules& rules) const {
  return std::any_of(flows_.begin(), flows_.end(), [&](const auto& flow) {
    const auto& [key, content] = flow;
    return rules.except_tenants.count(key.first) == 0 &&
           std::any_of(content.items.begin(), content.items.end(),
                       [&](const Waiting& waiting) {
                         return MayTake(rules, waiting.item.model);
                       });
  });
}

bool FairQueue::Remove(const std::string& id) {
  for (auto flow = flows_.begin(); flow != flows_.end(); ++flow) {
    auto& items = flow->second.items;
    const auto found = std::find_if(
        items.begin(), items.end(),
        [&](const Waiting& waiting) { return waiting.item.id == id; });
    if (found == items.end()) continue;
    items.erase(found);
    if (items.empty()) flows_.erase(flow);
    --size_;
    return true;
  }
  return false;
}

TenantCounts FairQueue::Counts() const {
  TenantCounts counts;
  for (const auto& [key, flow] : flows_) counts[key.first] += flow.items.size();
  return counts;
}

std::vector<std::string> FairQueue::Order(size_t count) const {
  FairQueue copy = *this;
  std::vector<std::string> ids;
  while (ids.size() < count) {
    const auto item = copy.Pop({});
    if (!item.has_value()) break;
    ids.push_back(item->id);
  }
  return ids;
}

}  // namespace genzo
