// guarded – the start of the guarded program, and the order of its steps.
#include "guarded.h"

#include <algorithm>
#include <cmath>

namespace mdbopt::search {
namespace {

constexpr std::size_t kMostAtBounds = 40;
constexpr double kForward = 1.1;  // growth of the box after a plain step that kept its promise

}  // namespace

Guarded::Guarded(const Options& options) : Search(options, control_) {
  if (std::isnan(options_.forward)) options_.forward = kForward;
  make_proposer(options.proposer, {});
}

void Guarded::allocate_more() {
  if (!options_.groups.empty())
    groups_ = Groups(options_.groups, runner_.where(), reduction_.get());
  b_ = runner_.filled(1.0);
  delta_ = runner_.zeros();
  spare_g_ = runner_.zeros();
  if (penalised()) {
    for (auto* array : {&pg_, &least_, &most_}) (*array)[0] = (*array)[1] = runner_.zeros();
  }
  if (!groups_.empty() || !options_.cocoercive) normal_ = runner_.zeros(Dtype::kFloat64);
  if (!groups_.empty()) sums_ = runner_.of(groups_.count(), Dtype::kFloat64).zeros();
  pairs_ = Pairs(memory(), runner_, control_.pairs);
  proposer_ = make_proposer(options_.proposer, runner_);
  control_.proposer = proposer_->kind();
  GuardingFacts& facts = control_.facts;
  facts.gamma = std::isnan(options_.gamma) ? 1.0 / (2.0 * dimension()) : options_.gamma;
  facts.forward = options_.forward;
  facts.cocoercive = options_.cocoercive;
  facts.unaligned = 1.0 / std::sqrt(runner_.elements());
}

// How many pairs are kept at most.
std::size_t Guarded::memory() const {
  if (options_.proposer != "lbfgs") return 1;
  if (options_.memory > 0) return std::min(options_.memory, kMostPairs);
  const std::size_t most = auto_memory(runner_.elements());
  // Tables of pairs that follow a face grow with the square of their number.
  return bounded() ? std::min(most, kMostAtBounds) : most;
}

// How many step sizes there are.
double Guarded::dimension() const {
  return groups_.empty() ? runner_.elements() : static_cast<double>(groups_.count());
}

// Those of the walk pair, and two products with each pair beside them.
std::size_t Guarded::most_sums() const {
  const std::size_t measured = kPairSums + 2 * memory();
  constexpr std::size_t kAtTrial = 10;  // of the walk face, or of orthant and composite
  return bounded() ? std::max(measured + kAtTrial, FaceWalks::sums(memory())) : measured;
}

void Guarded::start() {
  static const std::size_t whole = find_rule("norm");
  const double scale = control_.now.scale;
  Guarding& guard = control_.guard;
  double sums[kMaxSums];
  runner_.run(whole, {x_.data()}, {1.0}, sums);
  const double xmax = sums[1];
  norm(scale, sums);
  // Length 1, unless x is so far out that 1 is lost in it.
  guard.first_step =
      std::clamp(std::sqrt(control_.limits.epsilon) * xmax, 1.0, 1e150) / std::sqrt(sums[0]);
  guard.unit_step = guard.first_step;
  if (std::isnan(options_.initial_scale)) return;
  set_growth(guard, options_.initial_scale / scale * dimension());
}

bool Guarded::ready() const {
  return control_.guard.reopening == 0 && is_finite(control_.now.moved);
}

// By co-coercivity in the walk that learns, else by a normal of its own.
void Guarded::learn(Builder& builder) {
  GuardedSlots& slots = control_.slots;
  const bool grouped = !groups_.empty();
  if (!grouped) builder.apply<rules::Learn>(slots.learn);
  if (grouped) builder.apply<rules::PairNormal>(slots.pair_normal);
  if (!options_.cocoercive) {
    builder.apply<rules::Hypergradient>(slots.hypergradient).aligned = false;
  }
  if (grouped) {
    builder.sum_groups(slots.learn_from, normal_.data(), sums_.data());
    builder.spread_groups(slots.learn_from, sums_.data(), normal_.data());
  }
  if (grouped || !options_.cocoercive) builder.apply<rules::LearnFrom>(slots.learn_from);
}

// What x has of its orthant, which no state holds.
void Guarded::follow() {
  static const std::size_t orthant = find_rule("orthant");
  control_.orthant = {pg_[0].data(), least_[0].data(), most_[0].data()};
  control_.orthant_there = {pg_[1].data(), least_[1].data(), most_[1].data()};
  const Followed& at = control_.orthant;
  double sums[kMaxSums];
  runner_.run(
      orthant,
      {x_.data(), g_.data(), l1_.data(), lower_.data(), upper_.data(), at.g, at.lower, at.upper},
      {control_.now.scale}, sums);
}

void Guarded::link(Program& program, void* there) {
  using Proximal = rules::Proximal<rules::LinearProximal>;
  GuardedControl& c = control_;
  GuardedSlots& slots = c.slots;
  if (lies_on_device()) pairs_.reserve();
  Builder builder(program, runner_);
  builder.locate(&c, sizeof c, there);
  image_.begin(runner_.where());
  pairs_.link(c, image_);
  proposer_->link(c, pairs_, image_, builder);
  if (c.bounded) face_.link(c, pairs_.slots(), image_, builder);
  if (penalised()) follow();
  c.grouped = !groups_.empty();
  c.b = b_.data();
  c.delta = delta_.data();
  c.normal = normal_.data();
  c.sums = sums_.data();

  builder.decide<guarded::Begin>();
  builder.apply<rules::Pair>(slots.pair);
  if (c.penalised) {
    builder.apply<rules::Orthant>(slots.orthant).joins = true;
    builder.gather<rules::Composite>(slots.composite).joins = true;
  } else if (c.bounded) {
    builder.gather<rules::Face>(slots.face).joins = true;
  }
  proposer_->measure(builder, c);
  builder.decide<guarded::Learn>();
  learn(builder);
  builder.decide<guarded::Decide>();
  builder.apply<rules::Rescale>(slots.rescale);
  if (c.trial_stays) builder.apply<rules::Scaled>(slots.copy);
  if (c.bounded) {
    face_.close(builder, c);
    if (c.penalised)
      builder.apply<Proximal>(slots.within_decrease);
    else
      builder.gather<rules::WithinDecrease>(slots.within_decrease);
  } else {
    builder.gather<rules::Decrease>(slots.decrease);
  }
  builder.decide<guarded::Choose>();
  proposer_->begin(builder, c);
  builder.decide<guarded::Direct>();
  builder.apply<rules::Coast>(slots.coast);
  proposer_->finish(builder, c);
  builder.apply<rules::Along>(slots.along).joins = true;
  if (c.bounded) builder.apply<rules::AlongClip>(slots.along_clip).joins = true;
  builder.apply<rules::Trial<rules::UniformCandidate>>(slots.first);
  if (c.penalised)
    builder.apply<rules::Proximal<rules::UniformProximal>>(slots.first_clip).joins = true;
  else if (c.bounded)
    builder.apply<rules::Clip<rules::UniformClip>>(slots.first_clip).joins = true;
  builder.decide<guarded::Arrive>();
  builder.apply<rules::Along>(slots.clear);
  builder.apply<rules::Trial<rules::LinearCandidate>>(slots.plain);
  if (c.penalised)
    builder.apply<Proximal>(slots.plain_clip).joins = true;
  else if (c.bounded)
    builder.apply<rules::Clip<rules::LinearClip>>(slots.plain_clip).joins = true;
  builder.decide<guarded::Finish>();
}

void Guarded::step_sizes(double* out) {
  catch_up();
  const Guarding& guard = control_.guard;
  // Before the first finite trial has opened the box, the first step is all that is known.
  const double factor =
      control_.now.scale *
      (guard.growth > 0.0 ? control_.facts.gamma * guard.growth : guard.unit_step);
  static const std::size_t scaled = find_rule("scaled");
  runner_.of(runner_.size, Dtype::kFloat64).run(scaled, {b_.data(), out}, {factor});
}

void Guarded::fields(Fields& fields) {
  Search::fields(fields);
  if (there_ != nullptr) image_.read(*there_);
  Guarding& guard = control_.guard;
  const std::int64_t judged = control_.now.evaluations - 1;
  fields.word("proposer", options_.proposer);
  fields.same("gamma", control_.facts.gamma);
  fields.count("state", guard.state, kFirst, kPlain);
  fields.number("t", guard.t, kPositive);
  fields.count("tries", guard.tries, 0, judged);
  fields.count("plain_fails", guard.plain_fails, 0, judged);
  fields.number("unit_step", guard.unit_step, kPositive);
  fields.number("first_step", guard.first_step, kPositive);
  fields.number("set_growth", guard.growth, kNotNegative);
  fields.number("largest_growth", guard.largest_growth, kNotNegative);
  fields.count("window_steps", guard.window_steps, 0, judged);
  fields.count("window_kept", guard.window_kept, 0, guard.window_steps);
  fields.number("window_won", guard.window_won, kAnything);
  fields.count("reopened", guard.reopened, -1, control_.now.gains);
  fields.count("reopening", guard.reopening, 0, fields.judged_async() ? 1 : 0);
  if (bounded()) {
    fields.number("over", guard.over, {0.0, kInfinity, true});
    fields.number("promised", guard.promised, kAnything);
  }
  fields.array("set_b", b_, kNotNegative);
  fields.array("delta", delta_, guard.state == kDirection ? of_trial(fields, kFinite) : kAnything);
  pairs_.fields(fields, bounded());
  fields.count("metric_kind", control_.metric.kind, 0, 2);
  fields.number("metric_scale", control_.metric.scale, kNotNegative);
  proposer_->fields(fields, pairs_, control_.numbers, judged);
}

}  // namespace mdbopt::search
