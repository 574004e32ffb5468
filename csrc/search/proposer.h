// proposer – where the directions of the guarded search come from. The guard keeps the guarantee whatever they are.
#pragma once

#include <memory>
#include <string>

#include "buffer.h"
#include "fields.h"
#include "metric.h"
#include "pairs.h"
#include "walks.h"

namespace mdbopt::search {

// What a proposer sees of the search; it writes nothing but `delta`.
struct Terrain {
  const Walks& walks;
  const Buffer& g;
  const Buffer& b;        // the box, up to its growth
  double scale;           // gradients are read times this
  const Pairs& pairs;
  const DiagonalMetric& metric;
  Buffer& delta;
};

class Proposer {
 public:
  virtual ~Proposer() = default;
  // Whether a failed try may teach it: the pair is learnt and a new direction formed from the same point.
  virtual bool relearns() const { return false; }
  // Writes a direction to delta and returns its slope ⟨g, δ⟩; anything but a negative number is refused by the frame.
  virtual double direction(const Terrain& terrain) = 0;
  // A pair was kept and the metric fitted to it; may rescale the metric.
  virtual void learnt(const Fit&, double, DiagonalMetric&) {}
  // x moved by the pair last written; `plain`: by a plain step of the box, not along delta.
  virtual void moved(bool) {}
  // The direction was refused or a try failed: start afresh.
  virtual void reset() {}
  virtual void fields(Fields&) {}
};

// lbfgs, heavy-ball, nesterov or cg; throws Error for any other name.
std::unique_ptr<Proposer> make_proposer(const std::string& name, std::size_t size, Dtype dtype);

}  // namespace mdbopt::search
