// proposer – L-BFGS, heavy ball, Nesterov's method and nonlinear conjugate gradients as sources of
// directions.
#include "proposer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "../error.h"

namespace mdbopt::search {
namespace {

template <class Body>
void for_bundles(std::size_t m, Body body) {
  constexpr auto kWhole = static_cast<std::size_t>(kBundle);
  std::size_t k = 0;
  for (; k + kWhole <= m; k += kWhole) body(k, true);
  for (; k < m; ++k) body(k, false);
}

// The two-loop recursion on H₀ (recursion.h). Each s is read twice, each y once.
class Lbfgs final : public Proposer {
 public:
  bool relearns() const override { return true; }

  void measure(Chain& chain, Pairs& pairs, double scale, const Buffer& g_new) override {
    static const std::size_t one = find_rule("pair_product");
    static const std::size_t bundle = find_rule("pair_products");
    const auto s = [&](std::size_t k) { return pairs.s(k).data(); };
    void* y = pairs.next_y().data();
    first_link_ = chain.size();
    for_bundles(pairs.count(), [&](std::size_t k, bool whole) {
      if (whole)
        chain.add(bundle, {s(k), s(k + 1), s(k + 2), s(k + 3), s(k + 4), y, g_new.data()}, {scale});
      else
        chain.add(one, {s(k), y, g_new.data()}, {scale});
    });
  }

  void measured(const Chain& chain, const Pairs& pairs, double gs, double gs_new) override {
    std::size_t link = first_link_;
    for_bundles(pairs.count(), [&](std::size_t k, bool whole) {
      for (std::size_t j = 0; j < (whole ? kBundle : 1); ++j) {
        fresh_sy_.doubles()[pairs.slot(k + j)] = chain.sum(link, 2 * j);
        fresh_sg_.doubles()[pairs.slot(k + j)] = chain.sum(link, 2 * j + 1);
      }
      ++link;
    });
    next_sg_ = gs;
    fresh_sg_.doubles()[pairs.ring().next] = gs_new;
  }

  void follow(const Ring& ring) override {
    const auto slots = static_cast<std::size_t>(ring.slots);
    const std::size_t before = sg_.size();
    if (slots == before) return;
    Buffer sy = filled(slots * slots, 0.0);
    for (std::size_t row = 0; row < before; ++row) {
      std::copy_n(sy_.doubles() + row * before, before, sy.doubles() + row * slots);
    }
    sy_.swap(sy);
    for (Buffer* table : {&sg_, &fresh_sy_, &fresh_sg_}) *table = grown(*table, slots, 0.0);
  }

  void learn(const Fit&, double, DiagonalMetric&, const Pairs& pairs) override {
    take_pair(pairs.ring(), tables(pairs), next_sg_);
  }

  void moved(double, bool) override {
    take_gradient(static_cast<std::int64_t>(sg_.size()), fresh_sg_.doubles(), sg_.doubles());
  }

  Last direction(const Terrain& t, Chain& last) override {
    static const std::size_t scaled = find_rule("scaled");
    static const std::size_t apply_metric = find_rule("apply_metric");
    static const std::size_t dot = find_rule("dot");
    const Pairs& pairs = t.pairs;
    const std::size_t m = pairs.count();
    void* q = t.delta.data();
    alpha_.resize(m);
    last.clear();
    last.add(scaled, {t.g.data(), q}, {-t.scale});
    first_loop(pairs.ring(), tables(pairs), alpha_.data());
    add(
        last, [&](std::size_t k) { return pairs.y(k).data(); },
        [&](std::size_t k) { return -alpha_[k]; }, m, q);
    last.add(apply_metric, {t.b.data(), q}, {t.metric.one(), t.metric.root(), t.metric.box()});
    take_dots(last, t, m);
    last.clear();
    second_loop(pairs.ring(), tables(pairs), yq_.data(), alpha_.data());
    add(
        last, [&](std::size_t k) { return pairs.s(k).data(); },
        [&](std::size_t k) { return alpha_[k]; }, m, q);
    return {last.add(dot, {t.g.data(), q}, {}), t.scale};
  }

  void fields(Fields& fields, const Pairs& pairs, std::int64_t) override {
    follow(pairs.ring());
    fields.array("lbfgs_sy", sy_, kAnything);
    fields.array("lbfgs_sg", sg_, kAnything);
    fields.array("lbfgs_fresh_sy", fresh_sy_, kAnything);
    fields.array("lbfgs_fresh_sg", fresh_sg_, kAnything);
    if (!fields.loading()) return;
    const auto slots = static_cast<std::size_t>(pairs.ring().slots);
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
  bool tables(const Pairs& pairs, Tables& all) const override {
    all = tables(pairs);
    return true;
  }

 private:
  Tables tables(const Pairs& pairs) const {
    return {pairs.curvatures(), pairs.scales(),      sy_.doubles(),
            sg_.doubles(),      fresh_sy_.doubles(), fresh_sg_.doubles()};
  }

  // q ← q + Σ weight(k)·vector(k)
  template <class Vector, class Weight>
  static void add(Chain& chain, Vector a, Weight c, std::size_t m, void* q) {
    static const std::size_t one = find_rule("add_pair");
    static const std::size_t bundle = find_rule("add_pairs");
    for_bundles(m, [&](std::size_t k, bool whole) {
      if (whole) {
        chain.add(bundle, {a(k), a(k + 1), a(k + 2), a(k + 3), a(k + 4), q},
                  {c(k), c(k + 1), c(k + 2), c(k + 3), c(k + 4)});
      } else {
        chain.add(one, {a(k), q}, {c(k)});
      }
    });
  }

  // Runs the chain with every y·q behind it, into yq_.
  void take_dots(Chain& chain, const Terrain& t, std::size_t m) {
    static const std::size_t one = find_rule("pair_dot");
    static const std::size_t bundle = find_rule("pair_dots");
    const auto y = [&](std::size_t k) { return t.pairs.y(k).data(); };
    void* q = t.delta.data();
    std::size_t link = chain.size();
    for_bundles(m, [&](std::size_t k, bool whole) {
      if (whole)
        chain.add(bundle, {y(k), y(k + 1), y(k + 2), y(k + 3), y(k + 4), q}, {});
      else
        chain.add(one, {y(k), q}, {});
    });
    t.walks.run(chain);
    yq_.resize(m);
    for_bundles(m, [&](std::size_t k, bool whole) {
      for (std::size_t j = 0; j < (whole ? kBundle : 1); ++j) yq_[k + j] = chain.sum(link, j);
      ++link;
    });
  }

  Buffer sy_, sg_, fresh_sy_, fresh_sg_;  // by slot of the ring
  double next_sg_ = 0.0;
  std::size_t first_link_ = 0;
  std::vector<double> alpha_, yq_;
};

std::size_t momentum_step(const Terrain& t, Chain& last, const Buffer& metric, double beta) {
  static const std::size_t rule = find_rule("momentum_step");
  const bool own = &metric == &t.b;
  last.clear();
  return last.add(rule, {t.g.data(), metric.data(), t.delta.data()},
                  {beta, t.scale, own ? t.metric.one() : 0.0, own ? t.metric.root() : 0.0,
                   own ? t.metric.box() : 1.0});
}

// Momentum accumulates steps, so its own are short: in the metric of each D, the smallest ⟨s,
// y⟩/(y·Dy) seen, grown by a little each time, is classic backtracking for D's step size.
class Momentum : public Proposer {
 public:
  void learn(const Fit& fit, double curvature, DiagonalMetric& metric, const Pairs&) override {
    for (std::size_t k = 0; k < 3; ++k)
      length_[k] = std::min(kGrowth * length_[k], curvature / fit.yDy[k]);
    metric.scale = length_[metric.kind];
  }
  void moved(double t, bool plain) override {
    if (plain) return reset();
    ++steps_;
    last_t_ = t;
  }
  void reset() override { steps_ = 0; }
  void fields(Fields& fields, const Pairs&, std::int64_t judged) override {
    fields.count("momentum_steps", steps_, 0, judged);
    fields.number("momentum_t", last_t_, kNotNegative);
    for (std::size_t k = 0; k < 3; ++k)
      fields.number("momentum_length" + std::to_string(k), length_[k], {0.0, kInfinity});
  }

 protected:
  std::int64_t steps_ = 0;  // since momentum was last dropped
  double last_t_ = 0.0;     // the last step was this times delta

 private:
  static constexpr double kGrowth = 1.05;
  double length_[3] = {std::numeric_limits<double>::max(), std::numeric_limits<double>::max(),
                       std::numeric_limits<double>::max()};
};

// δ = −H₀g + β(x − x₋), β = k/(k + 3) up to 0.99. Source: Polyak 1964.
class HeavyBall final : public Momentum {
 public:
  Last direction(const Terrain& t, Chain& last) override {
    constexpr double kLargestBeta = 0.99;
    const double k = static_cast<double>(steps_);
    const double beta = std::min(kLargestBeta, k / (k + 3.0));
    return {momentum_step(t, last, t.b, steps_ > 0 ? beta * last_t_ : 0.0), 1.0};
  }
};

// Nesterov's method seen from the extrapolated points, where it evaluates: z⁺ − x = −H₀g, then a
// step beyond z⁺ by β(z⁺ − z), β = (a − 1)/a⁺. Source: Nesterov 1983; O'Donoghue and Candès 2015
// for starting afresh uphill.
class Nesterov final : public Momentum {
 public:
  explicit Nesterov(const Walks& walks) : z_(walks.zeros()) {}
  Last direction(const Terrain& t, Chain& last) override {
    static const std::size_t rule = find_rule("nesterov_step");
    const double a = 0.5 * (1.0 + std::sqrt(1.0 + 4.0 * a_ * a_));
    const double beta = steps_ > 0 ? (a_ - 1.0) / a : 0.0;
    a_ = a;
    last.clear();
    return {
        last.add(rule, {t.g.data(), t.b.data(), t.pairs.last_s().data(), z_.data(), t.delta.data()},
                 {beta, t.scale, t.metric.one(), t.metric.root(), t.metric.box(),
                  1.0 / t.pairs.last_scale()}),
        1.0};
  }
  void reset() override {
    Momentum::reset();
    a_ = 1.0;
  }
  void fields(Fields& fields, const Pairs& pairs, std::int64_t judged) override {
    Momentum::fields(fields, pairs, judged);
    fields.array("nesterov_z", z_, kAnything);
    fields.number("nesterov_a", a_, {1.0, kLargestNumber});
  }

 private:
  Buffer z_;
  double a_ = 1.0;
};

// δ = −Dg + βδ₋ with β of Hager and Zhang, downhill whatever the line search did. Conjugacy is a
// property of one metric, so D = H₀ is kept between restarts.
class ConjugateGradient final : public Proposer {
 public:
  explicit ConjugateGradient(const Walks& walks) : metric_(walks.zeros(Dtype::kFloat64)) {}
  Last direction(const Terrain& t, Chain& last) override {
    static const std::size_t products = find_rule("cg_products");
    static const std::size_t keep_metric = find_rule("metric");
    constexpr std::int64_t kPeriod = 30;
    if (steps_ > 0 && steps_ < kPeriod) {
      double sums[kMaxSums];
      t.walks.run(products, {t.g.data(), metric_.data(), t.delta.data(), t.pairs.last_y().data()},
                  {t.scale, 0.0, 0.0, 1.0}, sums);
      const double delta_y = sums[0];
      const double beta = (sums[1] - 2.0 * sums[2] / delta_y * sums[3]) / delta_y;
      if (delta_y > 0.0 && std::isfinite(beta)) return {momentum_step(t, last, metric_, beta), 1.0};
    }
    steps_ = 0;
    t.walks.run(keep_metric, {t.b.data(), metric_.data()},
                {t.metric.one(), t.metric.root(), t.metric.box()});
    return {momentum_step(t, last, metric_, 0.0), 1.0};
  }
  void moved(double, bool plain) override { steps_ = plain ? 0 : steps_ + 1; }
  void reset() override { steps_ = 0; }
  void fields(Fields& fields, const Pairs&, std::int64_t judged) override {
    fields.count("cg_steps", steps_, 0, judged);
    fields.array("cg_metric", metric_, kAnything);
  }

 private:
  Buffer metric_;
  std::int64_t steps_ = 0;
};

}  // namespace

std::unique_ptr<Proposer> make_proposer(const std::string& name, const Walks& walks) {
  if (name == "lbfgs") return std::make_unique<Lbfgs>();
  if (name == "heavy-ball") return std::make_unique<HeavyBall>();
  if (name == "nesterov") return std::make_unique<Nesterov>(walks);
  if (name == "cg") return std::make_unique<ConjugateGradient>(walks);
  throw Error("proposer: expected lbfgs, heavy-ball, nesterov or cg, got '" + name + "'");
}

}  // namespace mdbopt::search
