// proposer – what a source of directions (proposers.h) has on the host: its arrays, its walks, its part
// of a saved state.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "builder.h"
#include "fields.h"
#include "pairs.h"
#include "rule_runner.h"

namespace mdbopt::search {

class Proposer {
 public:
  virtual ~Proposer() = default;
  virtual ProposerKind kind() const = 0;
  // Says where its arrays are. The ring of pairs may have more slots than before: what goes by slot
  // follows it. The builder learns where slots that are not the control's lie.
  virtual void link(GuardedControl& /*control*/, const Pairs& /*pairs*/, Image& /*image*/,
                    Builder& /*builder*/) {}
  // In the pass of the walk pair; between the choice of a direction and the decision Direct; and after
  // it, where a walk that sums the slope comes last.
  virtual void measure(Builder& /*builder*/, GuardedControl& /*control*/) {}
  virtual void begin(Builder& /*builder*/, GuardedControl& /*control*/) {}
  virtual void finish(Builder& builder, GuardedControl& control) = 0;
  // There are pairs from an earlier search, and g, over 1/scale, is the gradient at x.
  virtual void inherit(Pairs& /*pairs*/, const RuleRunner& /*runner*/, void* /*g*/,
                       double /*scale*/) {}
  // Whether it takes pairs from an earlier search.
  virtual bool inherits() const { return false; }
  // With the pairs, which have been visited, and how many trials have been judged.
  virtual void fields(Fields& /*fields*/, const Pairs& /*pairs*/, ProposerNumbers& /*numbers*/,
                      std::int64_t /*judged*/) {}
};

// lbfgs, heavy-ball, nesterov or cg, with arrays as those of the walks; throws Error for any other
// name.
std::unique_ptr<Proposer> make_proposer(const std::string& name, const RuleRunner& runner);

}  // namespace mdbopt::search
