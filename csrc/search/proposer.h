// proposer – where the directions of the guarded search come from. The guard keeps the guarantee
// whatever they are.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "buffer.h"
#include "fields.h"
#include "metric.h"
#include "pairs.h"
#include "walks.h"

namespace mdbopt::search {

// What a proposer sees of the search; it writes nothing but `delta`, the direction before.
struct Terrain {
  const Walks& walks;
  const Buffer& g;
  const Buffer& b;  // the box, up to its growth
  double scale;     // gradients are read times this
  const Pairs& pairs;
  const DiagonalMetric& metric;
  Buffer& delta;
};

class Proposer {
 public:
  virtual ~Proposer() = default;
  // Whether a failed try may teach it: the pair is learnt and a new direction formed from the same
  // point.
  virtual bool relearns() const { return false; }
  // Adds to the walk that measures a trial what the proposer wants to know of it: g_new is the
  // gradient there, and the next pair is being written. `measured` comes after the walk; gs, gs_new
  // are its s·g and s·g_new as stored.
  virtual void measure(Chain& /*chain*/, Pairs& /*pairs*/, double /*scale*/,
                       const Buffer& /*g_new*/) {}
  virtual void measured(const Chain& /*chain*/, const Pairs& /*pairs*/, double /*gs*/,
                        double /*gs_new*/) {}
  // Writes a direction to delta. The last walk is left in the chain for the frame to go on with;
  // its link `slope_link` sums the slope ⟨g, δ⟩ over `slope_scale`.
  struct Last {
    std::size_t slope_link;
    double slope_scale;
  };
  virtual Last direction(const Terrain& terrain, Chain& last) = 0;
  // The ring of pairs may have more slots than before: tables by slot follow it.
  virtual void follow(const Ring& /*ring*/) {}
  // The pair last written is about to be kept; the metric is fitted to it and may be rescaled. The
  // curvature is ⟨s, y⟩.
  virtual void learn(const Fit& /*fit*/, double /*curvature*/, DiagonalMetric& /*metric*/,
                     const Pairs& /*pairs*/) {}
  // x moved by t·delta, or by a plain step of the box.
  virtual void moved(double /*t*/, bool /*plain*/) {}
  // The direction was refused, or x coasts along its last step: start afresh.
  virtual void reset() {}
  // With the pairs, which have been visited, and how many trials have been judged.
  virtual void fields(Fields& /*fields*/, const Pairs& /*pairs*/, std::int64_t /*judged*/) {}
  // The tables of its recursion, with those of the pairs; false: it has none.
  virtual bool tables(const Pairs& /*pairs*/, Tables& /*tables*/) const { return false; }
};

// lbfgs, heavy-ball, nesterov or cg, with arrays as those of the walks; throws Error for any other
// name.
std::unique_ptr<Proposer> make_proposer(const std::string& name, const Walks& walks);

}  // namespace mdbopt::search
