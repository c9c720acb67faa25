#include "queue/fair_queue.h"

#include <algorithm>
#include <utility>

namespace genzo {
namespace {

// Whether a job of this model may be taken at all, however long it waits.
bool MayTake(const TakeRules& rules, const std::string& model) {
  return !rules.only_preferred || rules.preferred_models.count(model) > 0;
}

}  // namespace

FairQueueItem QueueItem(const std::string& id, const JobDemand& demand,
                        absl::Time latest_start) {
  return {.id = id,
          .tenant = demand.tenant,
          .priority = demand.priority,
          // A tenant of twice the weight is charged half.
          .cost = CostUnits(demand) / demand.weight,
          .latest_start = latest_start,
          .model = demand.model};
}

void FairQueue::Push(FairQueueItem item) {
  const auto [place, is_new] = flows_.try_emplace(item.tenant);
  Flow& flow = place->second;
  if (is_new) {
    flow.served = level_;
    flow.since = ++arrived_;
    if (const auto before = served_before_.extract(item.tenant)) {
      flow.served = std::max(level_, before.mapped());
    }
  }
  auto& items = flow.lines[item.priority].items;
  const auto after =
      std::upper_bound(items.begin(), items.end(), item.latest_start,
                       [](absl::Time latest_start, const Waiting& other) {
                         return latest_start < other.item->latest_start;
                       });
  items.insert(after,
               {std::make_shared<const FairQueueItem>(std::move(item)), 0});
  ++size_;
}

std::optional<FairQueueItem> FairQueue::Pop(const TakeRules& rules) {
  const std::vector<Flows::iterator> order = InTurn(rules);
  if (order.empty()) return std::nullopt;
  if (rules.leave_to_others && left_ < kMaxPasses) {
    ++left_;
    return std::nullopt;
  }
  if (!rules.leave_to_others) left_ = 0;
  Flow& first_flow = order.front()->second;
  const int first_priority = Turns(first_flow).front();
  Waiting& first = first_flow.lines.at(first_priority).items.front();
  const auto preferred = [&](const Waiting& waiting) {
    return MayTake(rules, waiting.item->model) &&
           (rules.preferred_models.empty() ||
            rules.preferred_models.count(waiting.item->model) > 0 ||
            waiting.passes >= kMaxPasses);
  };
  for (const auto flow : order) {
    for (int priority : Turns(flow->second)) {
      const auto& items = flow->second.lines.at(priority).items;
      const auto found = std::find_if(items.begin(), items.end(), preferred);
      if (found == items.end()) continue;
      if (&*found != &first) ++first.passes;
      return Take(flow, priority, found - items.begin());
    }
  }
  if (!MayTake(rules, first.item->model)) return std::nullopt;
  return Take(order.front(), first_priority, 0);
}

bool FairQueue::HasFor(const TakeRules& rules) const {
  const auto may_take = [&](const Waiting& waiting) {
    return MayTake(rules, waiting.item->model);
  };
  return std::any_of(flows_.begin(), flows_.end(), [&](const auto& flow) {
    return rules.except_tenants.count(flow.first) == 0 &&
           std::any_of(flow.second.lines.begin(), flow.second.lines.end(),
                       [&](const auto& line) {
                         const auto& items = line.second.items;
                         return std::any_of(items.begin(), items.end(),
                                            may_take);
                       });
  });
}

bool FairQueue::Remove(const std::string& id) {
  for (auto flow = flows_.begin(); flow != flows_.end(); ++flow) {
    auto& lines = flow->second.lines;
    for (auto line = lines.begin(); line != lines.end(); ++line) {
      auto& items = line->second.items;
      const auto found = std::find_if(
          items.begin(), items.end(),
          [&](const Waiting& waiting) { return waiting.item->id == id; });
      if (found == items.end()) continue;
      items.erase(found);
      if (items.empty()) lines.erase(line);
      if (lines.empty()) Leave(flow);
      --size_;
      return true;
    }
  }
  return false;
}

TenantCounts FairQueue::Counts() const {
  TenantCounts counts;
  for (const auto& [tenant, flow] : flows_) {
    for (const auto& [priority, line] : flow.lines) {
      counts[tenant] += line.items.size();
    }
  }
  return counts;
}

std::vector<std::string> FairQueue::Order(size_t count) const {
  // Every Pop() takes from the flow that was served least, so only the `count`
  // least served matter, and of their lines the first `count`.
  std::vector<Flows::const_iterator> nearest;
  for (auto it = flows_.begin(); it != flows_.end(); ++it) {
    nearest.push_back(it);
  }
  std::sort(nearest.begin(), nearest.end(), IsBefore<Flows::const_iterator>);
  nearest.resize(std::min(nearest.size(), count));
  FairQueue front;
  front.level_ = level_;
  for (const auto& flow : nearest) {
    Flow& copy = front.flows_[flow->first];
    copy.served = flow->second.served;
    copy.since = flow->second.since;
    for (const auto& [priority, line] : flow->second.lines) {
      const auto most =
          static_cast<std::ptrdiff_t>(std::min(line.items.size(), count));
      copy.lines[priority] = {
          .items = {line.items.begin(), line.items.begin() + most},
          .passed = line.passed};
    }
  }
  std::vector<std::string> ids;
  while (ids.size() < count) {
    const auto item = front.Pop({});
    if (!item.has_value()) break;
    ids.push_back(item->id);
  }
  return ids;
}

std::vector<int> FairQueue::Turns(const Flow& flow) {
  std::vector<int> priorities;
  for (const auto& [priority, line] : flow.lines) {
    priorities.push_back(priority);
  }
  const auto due = [&](int priority) {
    return flow.lines.at(priority).passed >= kMostPassed;
  };
  // The lowest first: it has waited longest.
  const auto turn = std::find_if(priorities.rbegin(), priorities.rend(), due);
  if (turn != priorities.rend()) {
    std::rotate(priorities.begin(), turn.base() - 1, turn.base());
  }
  return priorities;
}

std::vector<FairQueue::Flows::iterator> FairQueue::InTurn(
    const TakeRules& rules) {
  std::vector<Flows::iterator> order;
  for (auto it = flows_.begin(); it != flows_.end(); ++it) {
    if (rules.except_tenants.count(it->first) == 0) order.push_back(it);
  }
  std::sort(order.begin(), order.end(), IsBefore<Flows::iterator>);
  return order;
}

FairQueueItem FairQueue::Take(Flows::iterator flow, int priority,
                              size_t index) {
  auto& [served, since, lines] = flow->second;
  auto& items = lines.at(priority).items;
  const FairQueueItem item = *items[index].item;
  level_ = std::max(level_, served);
  served += item.cost;
  Creep(item.cost / kMaxPasses);
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(index));
  lines.at(priority).passed = 0;
  for (auto& [other, line] : lines) {
    if (other < priority) ++line.passed;
  }
  if (items.empty()) lines.erase(priority);
  if (lines.empty()) Leave(flow);
  --size_;
  return item;
}

void FairQueue::Creep(double most) {
  double least = level_ + most;
  for (const auto& [_, flow] : flows_) least = std::min(least, flow.served);
  level_ = std::max(level_, least);
}

void FairQueue::Leave(Flows::iterator flow) {
  served_before_[flow->first] = flow->second.served;
  flows_.erase(flow);
  if (flows_.empty()) {
    for (const auto& [_, served] : served_before_) {
      level_ = std::max(level_, served);
    }
  }
  std::erase_if(served_before_,
                [&](const auto& entry) { return entry.second <= level_; });
}

}  // namespace genzo
