// multidimensional – the start of the sets' program, and the order of its steps.
#include "multidimensional.h"

#include <cmath>

namespace mdbopt::search {
namespace {

constexpr double kGrowth = 1.1;  // the growth after an accepted step in the paper's experiments

}  // namespace

void Multidimensional::allocate_more() {
  set_ = Set(options_, runner_);
  Options one;
  one.method = "backtracking";
  one.gamma = 1.0;
  one.cocoercive = options_.cocoercive;
  seeker_ = Set(one, runner_);
  spare_x_ = runner_.zeros();
  spare_g_ = runner_.zeros();
  if (std::isnan(options_.forward)) options_.forward = kGrowth;
  control_.forward = options_.forward;
  control_.set.facts = set_.facts();
  control_.seeker.facts = seeker_.facts();
}

void Multidimensional::start() {
  const double scale = control_.now.scale;
  control_.set.extent.scale = control_.seeker.extent.scale = scale;
  if (!std::isnan(options_.initial_scale)) {
    sets::resize(control_.set, options_.initial_scale / scale);
    return;
  }
  double sums[kMaxSums];
  norm(scale, sums);
  control_.seeking = 1;
  sets::resize(control_.seeker, 1.0 / std::sqrt(sums[0]));
}

void Multidimensional::link(Program& program, void* there) {
  using Uniform = rules::UniformCandidate;
  SetsControl& c = control_;
  SetsSlots& slots = c.slots;
  linked_seeker_ = c.seeking != 0;
  set_.link(c);
  Builder builder(program, runner_);
  builder.locate(&c, sizeof c, there);
  const bool uniform = linked_seeker_ || c.set.facts.kind == ShapeKind::kOneStepSize;
  builder.decide<sets::Begin>();
  if (uniform) builder.gather<rules::Secant<rules::GradientSecant>>(slots.uniform_secant);
  set_.secant(builder, c);
  if (bounded()) builder.gather<rules::StepSecant>(slots.step_secant).joins = true;
  builder.decide<sets::Choose>();
  set_.cut(builder, c);
  if (uniform && c.trial_stays)
    builder.apply<rules::Advance<Uniform>>(slots.uniform_accept);
  else if (uniform)
    builder.apply<rules::Accept<Uniform>>(slots.uniform_accept);
  const auto clip_uniform = [&](Slot& slot) {
    if (uniform && penalised())
      builder.apply<rules::Proximal<rules::UniformProximal>>(slot).joins = true;
    else if (uniform && bounded())
      builder.apply<rules::Clip<rules::UniformClip>>(slot).joins = true;
  };
  clip_uniform(slots.uniform_accept_clip);
  set_.accept(builder, c);
  builder.decide<sets::Arrive>();
  if (uniform) builder.apply<rules::Trial<Uniform>>(slots.uniform_trial);
  clip_uniform(slots.uniform_trial_clip);
  set_.propose(builder, c);
  builder.decide<sets::Finish>();
}

void Multidimensional::step_sizes(double* out) {
  catch_up();
  const bool seeking = control_.seeking != 0;
  (seeking ? seeker_ : set_).step_sizes((seeking ? control_.seeker : control_.set).extent, out);
}

void Multidimensional::fields(Fields& fields) {
  Search::fields(fields);
  SetsControl& c = control_;
  fields.count("seeking", c.seeking, 0, 1);
  fields.count("seek_rejected", c.seek_rejected, 0, 1);
  fields.number("decrease", c.proposal.decrease, of_trial(fields, kNotNegative));
  if (bounded()) fields.number("spent", c.proposal.spent, of_trial(fields, kNotNegative));
  const Range& range = while_running(kNotNegative);
  if (penalised()) fields.number("penalty", c.proposal.penalty, of_trial(fields, kNotNegative));
  seeker_.fields(fields, "seeker_", c.seeker.extent, c.now.scale, range);
  set_.fields(fields, "set_", c.set.extent, c.now.scale, range);
  if (!fields.loading()) return;
  c.growing = -1;
  if (!bounded()) c.proposal.spent = c.proposal.decrease;
  c.proposal.gmax = c.now.gmax;
  c.proposal.moved = c.now.moved;
}

}  // namespace mdbopt::search
