#ifndef GENZO_WORKER_ENGINE_LEDGER_H_
#define GENZO_WORKER_ENGINE_LEDGER_H_

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace genzo {

// Runs of one tenant that may share evaluations.
struct Flow {
  std::string tenant;
  std::string shape;
  auto operator<=>(const Flow&) const = default;
};

// Who is owed what between the choices of one device's batches, in cost units.
//
// Flows: what an evaluation costs is charged to the flows that ran and credited
// to all in equal shares by tenant, so the flow that is owed most should lead
// the next one. A tenant's share is split over those of its flows that may
// lead, so shapes do not multiply it.
//
// Debtors: a tenant that used kDebt steps more than its share owes them to the
// others until they have caught up. Flows of debtors are neither charged nor
// credited, as they only join what others lead.
//
// A value without a lock: each device has its own.
class Ledger {
 public:
  // Steps that a tenant must owe to be a debtor.
  static constexpr double kDebt = 64;
  // Steps that a tenant can owe or a flow be owed: more is forgotten.
  static constexpr double kMostOwed = 256;

  // Who is here now, and what a step of their costliest run is.
  using Present = std::map<Flow, double>;

  // To be called before a choice: forgets flows and tenants that are gone, so
  // nobody inherits anything. A new flow stands where its tenant's least owed
  // flow does: a new shape brings no new credit.
  void Meet(const Present& present);

  // Whether the tenant owes the others that were met last. If all owe, nobody
  // does.
  bool IsDebtor(const std::string& tenant) const {
    return debtors_.count(tenant) > 0;
  }
  // Tenants that would be debtors if one came that owes nothing.
  const std::set<std::string>& owing() const { return owing_; }
  // What the flow is owed, less than 0 if it owes.
  double DeficitOf(const Flow& flow) const { return flows_.at(flow).deficit; }
  // The number of the choice that it last led; 0 for none.
  int64_t LastLed(const Flow& flow) const { return flows_.at(flow).last_led; }
  // Of choices up to now, including this one, since a debtor that had waited
  // too long last led.
  int64_t SinceDebtorLed() const { return choices_ + 1 - debtor_led_; }

  // A choice was made: `leader` leads; `as_aged_debtor` if only its waiting
  // made it do so.
  void Led(const Flow& leader, bool as_aged_debtor);
  // ... and costs `used`, of flows that were met. Only flows in `may_lead` are
  // credited. `has_backlog`: runs of that shape did not fit; then a tenant that
  // is alone owes what it uses, as whoever comes has to wait for its backlog.
  void Charge(const std::map<Flow, double>& used,
              const std::set<Flow>& may_lead, bool has_backlog);

 private:
  struct Share {
    double deficit = 0;
    int64_t last_led = 0;
  };

  double StandingOf(const std::string& tenant) const;
  void Credit(double charged, const std::set<Flow>& may_lead);

  std::map<Flow, Share> flows_;  // of who is here
  std::map<std::string, double>
      debts_;                           // of tenants; under 0: less than theirs
  std::map<std::string, double> step_;  // a tenant's costliest
  std::set<std::string> owing_;
  std::set<std::string> debtors_;  // of these, while others are here
  int64_t choices_ = 0;
  int64_t debtor_led_ = 0;  // number of the choice that an aged debtor last led
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_LEDGER_H_
