// proposer – L-BFGS, heavy ball, Nesterov's method and nonlinear conjugate gradients: the walks between
// the decisions of proposers.h.
#include "proposer.h"

#include <mdbopt/error.h>

#include <algorithm>
#include <string>
#include <vector>

namespace mdbopt::search {
namespace {

class LbfgsWalks final : public Proposer {
 public:
  ProposerKind kind() const override { return ProposerKind::kLbfgs; }

  void link(GuardedControl& c, const Pairs& pairs, Image& image, Builder& builder) override {
    follow(pairs.slots());
    const std::size_t slots = sg_.size();
    c.tables.sy = image.add(sy_.doubles(), slots * slots);
    c.tables.sg = image.add(sg_.doubles(), slots);
    c.tables.fresh_sy = image.add(fresh_sy_.doubles(), slots);
    c.tables.fresh_sg = image.add(fresh_sg_.doubles(), slots);
    c.alpha = image.add(alpha_.data(), slots);
    c.yq = image.add(yq_.data(), slots);
    c.bundles = image.add(bundles_.data(), bundles_.size());
    c.fives = static_cast<std::int64_t>(fives_);
    c.singles = static_cast<std::int64_t>(bundles_.size() - fives_);
    builder.locate(bundles_.data(), bundles_.size() * sizeof(Bundle), c.bundles);
  }

  void measure(Builder& builder, GuardedControl&) override {
    for_bundles([&](Bundle& bundle, bool five) {
      Step& step = five ? builder.gather<rules::Products<rules::PairProducts>>(bundle.products)
                        : builder.gather<rules::Products<rules::PairProduct>>(bundle.products);
      step.joins = true;
    });
  }

  void begin(Builder& builder, GuardedControl& c) override {
    builder.apply<rules::Scaled>(c.direction.scaled);
    for_bundles([&](Bundle& bundle, bool five) { add(builder, bundle.add_y, five).joins = true; });
    Step& metric = c.bounded ? builder.apply<rules::FaceMetric>(c.direction.face_metric)
                             : builder.apply<rules::ApplyMetric>(c.direction.metric);
    metric.joins = true;
    for_bundles([&](Bundle& bundle, bool five) {
      Step& step = five ? builder.gather<rules::Dots<rules::PairDots>>(bundle.dots)
                        : builder.gather<rules::Dots<rules::PairDot>>(bundle.dots);
      step.joins = true;
    });
  }

  void finish(Builder& builder, GuardedControl& c) override {
    for_bundles([&](Bundle& bundle, bool five) {
      add(builder, bundle.add_s, five).joins = &bundle != bundles_.data();
    });
    if (!c.bounded) builder.gather<rules::Dot>(c.direction.dot).joins = true;
  }

  bool inherits() const override { return true; }

  // As many walks as pairs, five products in each, for every pair: what the tables hold of pairs that
  // came one by one.
  void inherit(Pairs& pairs, const RuleRunner& runner, void* g, double scale) override {
    follow(pairs.slots());
    const std::size_t slots = pairs.slots();
    static const std::size_t one = find_rule("pair_product");
    static const std::size_t five = find_rule("pair_products");
    double sums[kMaxSums];
    for (std::size_t newer = 0; newer < pairs.count(); ++newer) {
      for (std::size_t older = 0; older <= newer;) {
        constexpr auto kFive = static_cast<std::size_t>(kBundle);
        const bool bundled = older + kFive <= newer + 1;
        void* y = pairs.y(newer);
        if (bundled) {
          runner.run(five,
                     {pairs.s(older), pairs.s(older + 1), pairs.s(older + 2), pairs.s(older + 3),
                      pairs.s(older + 4), y, g},
                     {scale}, sums);
        } else {
          runner.run(one, {pairs.s(older), y, g}, {scale}, sums);
        }
        for (std::size_t k = 0; k < (bundled ? kFive : 1); ++k, ++older) {
          if (older < newer) sy_.doubles()[older * slots + newer] = sums[2 * k];
          sg_.doubles()[older] = sums[2 * k + 1];
        }
      }
    }
  }

  void fields(Fields& fields, const Pairs& pairs, ProposerNumbers&, std::int64_t) override {
    follow(pairs.slots());
    const std::size_t slots = pairs.slots();
    const auto used = static_cast<std::size_t>(pairs.ring().used);
    table(fields, "lbfgs_sy", sy_, used, used, slots, kAnything);
    table(fields, "lbfgs_sg", sg_, 1, used, used, kAnything);
    table(fields, "lbfgs_fresh_sy", fresh_sy_, 1, used, used, kAnything);
    table(fields, "lbfgs_fresh_sg", fresh_sg_, 1, used, used, kAnything);
    if (!fields.loading()) return;
    bool sg = true;
    bool sy = true;
    for (std::size_t k = 0; k < pairs.count(); ++k) {
      sg = sg && is_finite(sg_.doubles()[pairs.slot(k)]);
      for (std::size_t j = 0; j < k; ++j) {
        sy = sy && is_finite(sy_.doubles()[pairs.slot(k) * slots + pairs.slot(j)]);
      }
    }
    fields.agree("lbfgs_sg", sg, "finite numbers where pairs are kept");
    fields.agree("lbfgs_sy", sy, "finite numbers where pairs are kept");
  }

 private:
  static Step& add(Builder& builder, Slot& slot, bool five) {
    return five ? builder.apply<rules::Add<rules::AddPairs>>(slot)
                : builder.apply<rules::Add<rules::AddPair>>(slot);
  }
  template <class Body>
  void for_bundles(Body body) {
    for (std::size_t k = 0; k < bundles_.size(); ++k) body(bundles_[k], k < fives_);
  }
  // As many slots as there may be pairs, and one.
  void follow(std::size_t slots) {
    const std::size_t before = sg_.size();
    if (slots == before) return;
    Buffer sy = filled(slots * slots, 0.0);
    for (std::size_t row = 0; row < before; ++row) {
      std::copy_n(sy_.doubles() + row * before, before, sy.doubles() + row * slots);
    }
    Buffer sg = grown(sg_, slots, 0.0);
    Buffer fresh_sy = grown(fresh_sy_, slots, 0.0), fresh_sg = grown(fresh_sg_, slots, 0.0);
    alpha_.resize(slots);
    yq_.resize(slots);
    constexpr auto kFive = static_cast<std::size_t>(kBundle);
    const std::size_t fives = (slots - 1) / kFive;
    bundles_.resize(fives + std::min(slots - 1, kFive - 1));
    for (std::size_t k = 0; k < bundles_.size(); ++k) bundles_[k].pairs = k < fives ? kBundle : 1;
    // Last, once nothing can fail: the number of slots is theirs.
    fives_ = fives;
    sy_.swap(sy);
    sg_.swap(sg);
    fresh_sy_.swap(fresh_sy);
    fresh_sg_.swap(fresh_sg);
  }

  Buffer sy_, sg_, fresh_sy_, fresh_sg_;  // by slot of the ring
  std::vector<double> alpha_, yq_;
  std::vector<Bundle> bundles_;  // of five, then of one
  std::size_t fives_ = 0;
};

class MomentumWalks : public Proposer {
 public:
  void fields(Fields& fields, const Pairs&, ProposerNumbers& n, std::int64_t judged) override {
    fields.count("momentum_steps", n.steps, 0, judged);
    fields.number("momentum_t", n.last_t, kNotNegative);
    for (std::size_t k = 0; k < 3; ++k)
      fields.number("momentum_length" + std::to_string(k), n.length[k], {0.0, kInfinity});
  }
};

class HeavyBallWalks final : public MomentumWalks {
 public:
  ProposerKind kind() const override { return ProposerKind::kHeavyBall; }
  void finish(Builder& builder, GuardedControl& c) override {
    builder.apply<rules::MomentumStep>(c.direction.step);
  }
};

class NesterovWalks final : public MomentumWalks {
 public:
  explicit NesterovWalks(const RuleRunner& runner) : z_(runner.zeros()) {}
  ProposerKind kind() const override { return ProposerKind::kNesterov; }
  void link(GuardedControl& c, const Pairs&, Image&, Builder&) override { c.z = z_.data(); }
  void finish(Builder& builder, GuardedControl& c) override {
    builder.apply<rules::NesterovStep>(c.direction.step);
  }
  void fields(Fields& fields, const Pairs& pairs, ProposerNumbers& n,
              std::int64_t judged) override {
    MomentumWalks::fields(fields, pairs, n, judged);
    fields.array("nesterov_z", z_, kAnything);
    fields.number("nesterov_a", n.a, {1.0, kLargestNumber});
  }

 private:
  Buffer z_;
};

class ConjugateGradientWalks final : public Proposer {
 public:
  explicit ConjugateGradientWalks(const RuleRunner& runner)
      : metric_(runner.zeros(Dtype::kFloat64)) {}
  ProposerKind kind() const override { return ProposerKind::kConjugateGradient; }
  void link(GuardedControl& c, const Pairs&, Image&, Builder&) override {
    c.kept_metric = metric_.data();
  }
  void begin(Builder& builder, GuardedControl& c) override {
    builder.gather<rules::CgProducts>(c.direction.products);
  }
  void finish(Builder& builder, GuardedControl& c) override {
    builder.apply<rules::KeepMetric>(c.direction.keep_metric);
    builder.apply<rules::MomentumStep>(c.direction.step);
  }
  void fields(Fields& fields, const Pairs&, ProposerNumbers& n, std::int64_t judged) override {
    fields.count("cg_steps", n.steps, 0, judged);
    fields.array("cg_metric", metric_, kAnything);
  }

 private:
  Buffer metric_;
};

}  // namespace

std::unique_ptr<Proposer> make_proposer(const std::string& name, const RuleRunner& runner) {
  if (name == "lbfgs") return std::make_unique<LbfgsWalks>();
  if (name == "heavy-ball") return std::make_unique<HeavyBallWalks>();
  if (name == "nesterov") return std::make_unique<NesterovWalks>(runner);
  if (name == "cg") return std::make_unique<ConjugateGradientWalks>(runner);
  throw Error("proposer: expected lbfgs, heavy-ball, nesterov or cg, got '" + name + "'");
}

}  // namespace mdbopt::search
