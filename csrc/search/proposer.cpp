// proposer – L-BFGS, heavy ball, Nesterov's method and nonlinear conjugate gradients as sources of directions.
#include "proposer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "../error.h"

namespace mdbopt::search {
namespace {

// The two-loop recursion on H₀. Each turn updates q and takes the next turn's inner product in the same walk.
// Source: Nocedal 1980; Nocedal and Wright 2006, algorithm 7.4.
class Lbfgs final : public Proposer {
 public:
  bool relearns() const override { return true; }

  double direction(const Terrain& t) override {
    static const std::size_t scaled_dot = find_rule("scaled_dot");
    static const std::size_t axpy_dot = find_rule("axpy_dot");
    static const std::size_t metric_dot = find_rule("metric_dot");
    const std::size_t m = t.pairs.count();
    void* q = t.delta.data();
    alpha_.resize(m);
    double sum[kMaxSums];
    t.walks.run(scaled_dot, {t.g.data(), t.pairs.s(0).data(), q}, {-t.scale}, sum);
    for (std::size_t k = 0; k < m; ++k) {
      alpha_[k] = sum[0] / t.pairs.curvature(k);
      if (k + 1 < m) {
        t.walks.run(axpy_dot, {t.pairs.y(k).data(), t.pairs.s(k + 1).data(), q}, {-alpha_[k], 1.0}, sum);
      } else {
        t.walks.run(metric_dot, {t.pairs.y(k).data(), t.b.data(), q},
                    {-alpha_[k], t.metric.one(), t.metric.root(), t.metric.box()}, sum);
      }
    }
    for (std::size_t k = m; k-- > 0;) {
      const double c = alpha_[k] - sum[0] / t.pairs.curvature(k);
      const bool last = k == 0;
      t.walks.run(axpy_dot, {t.pairs.s(k).data(), last ? t.g.data() : t.pairs.y(k - 1).data(), q},
                  {c, last ? t.scale : 1.0}, sum);
    }
    return sum[0];
  }

 private:
  std::vector<double> alpha_;
};

double momentum_step(const Terrain& t, const Buffer& metric, double beta, const void* momentum) {
  static const std::size_t rule = find_rule("momentum_step");
  const bool own = &metric == &t.b;
  double sum[kMaxSums];
  t.walks.run(rule, {t.g.data(), metric.data(), const_cast<void*>(momentum), t.delta.data()},
              {beta, t.scale, own ? t.metric.one() : 0.0, own ? t.metric.root() : 0.0, own ? t.metric.box() : 1.0},
              sum);
  return sum[0];
}

// Momentum accumulates steps, so its own are short: in the metric of each D, the smallest ⟨s, y⟩/(y·Dy) seen, grown by
// a little each time, is classic backtracking for D's step size.
class Momentum : public Proposer {
 public:
  void learnt(const Fit& fit, double curvature, DiagonalMetric& metric) override {
    for (std::size_t k = 0; k < 3; ++k) length_[k] = std::min(kGrowth * length_[k], curvature / fit.yDy[k]);
    metric.set_scale(length_[metric.kind()]);
  }
  void moved(bool plain) override {
    if (plain) reset();
    else ++steps_;
  }
  void reset() override { steps_ = 0; }
  void fields(Fields& fields) override {
    fields.count("momentum_steps", steps_);
    for (std::size_t k = 0; k < 3; ++k) fields.number("momentum_length" + std::to_string(k), length_[k]);
  }

 protected:
  std::int64_t steps_ = 0;  // since momentum was last dropped

 private:
  static constexpr double kGrowth = 1.05;
  double length_[3] = {std::numeric_limits<double>::max(), std::numeric_limits<double>::max(),
                       std::numeric_limits<double>::max()};
};

// δ = −H₀g + β(x − x₋), β = k/(k + 3) up to 0.99; dropped when it points uphill. Source: Polyak 1964.
class HeavyBall final : public Momentum {
 public:
  double direction(const Terrain& t) override {
    constexpr double kLargestBeta = 0.99;
    const double k = static_cast<double>(steps_);
    const double beta = std::min(kLargestBeta, k / (k + 3.0));
    const double slope = momentum_step(t, t.b, beta, t.pairs.last_s().data());
    if (slope < 0.0 || steps_ == 0) return slope;
    reset();
    return momentum_step(t, t.b, 0.0, t.pairs.last_s().data());
  }
};

// Nesterov's method seen from the extrapolated points, where it evaluates: z⁺ − x = −H₀g, then a step beyond z⁺ by
// β(z⁺ − z), β = (a − 1)/a⁺; restarted when that points uphill. Source: Nesterov 1983; O'Donoghue and Candès 2015.
class Nesterov final : public Momentum {
 public:
  Nesterov(std::size_t size, Dtype dtype) : z_(size, dtype) {}
  double direction(const Terrain& t) override {
    double slope = step(t);
    if (!(slope < 0.0) && steps_ > 0) {
      reset();
      slope = step(t);
    }
    return slope;
  }
  void reset() override {
    Momentum::reset();
    a_ = 1.0;
  }
  void fields(Fields& fields) override {
    Momentum::fields(fields);
    fields.array("nesterov_z", z_);
    fields.number("nesterov_a", a_);
  }

 private:
  double step(const Terrain& t) {
    static const std::size_t rule = find_rule("nesterov_step");
    const double a = 0.5 * (1.0 + std::sqrt(1.0 + 4.0 * a_ * a_));
    const double beta = steps_ > 0 ? (a_ - 1.0) / a : 0.0;
    a_ = a;
    double sum[kMaxSums];
    t.walks.run(rule, {t.g.data(), t.b.data(), t.pairs.last_s().data(), z_.data(), t.delta.data()},
                {beta, t.scale, t.metric.one(), t.metric.root(), t.metric.box()}, sum);
    return sum[0];
  }
  Buffer z_;
  double a_ = 1.0;
};

// δ = −Dg + βδ₋ with β of Hager and Zhang, downhill whatever the line search did. Conjugacy is a property of one
// metric, so D = H₀ is kept between restarts.
class ConjugateGradient final : public Proposer {
 public:
  ConjugateGradient(std::size_t size, Dtype dtype) : metric_(size, Dtype::kFloat64), previous_(size, dtype) {}
  double direction(const Terrain& t) override {
    static const std::size_t products = find_rule("cg_products");
    constexpr std::int64_t kPeriod = 30;
    if (steps_ > 0 && steps_ < kPeriod) {
      double sums[kMaxSums];
      t.walks.run(products, {t.g.data(), metric_.data(), t.delta.data(), t.pairs.last_y().data()},
                  {t.scale, 0.0, 0.0, 1.0}, sums);
      const double delta_y = sums[0];
      const double beta = (sums[1] - 2.0 * sums[2] / delta_y * sums[3]) / delta_y;
      if (delta_y > 0.0 && std::isfinite(beta)) {
        const double slope = momentum_step(t, metric_, beta, t.delta.data());
        if (slope < 0.0) return slope;
      }
    }
    steps_ = 0;
    for (std::size_t i = 0; i < metric_.size(); ++i) {
      const double b = t.b.doubles()[i];
      metric_.doubles()[i] = t.metric.one() + t.metric.root() * std::sqrt(b) + t.metric.box() * b;
    }
    return momentum_step(t, metric_, 0.0, t.delta.data());
  }
  void moved(bool plain) override {
    if (plain) reset();
    else ++steps_;
  }
  void reset() override { steps_ = 0; }
  void fields(Fields& fields) override {
    fields.count("cg_steps", steps_);
    fields.array("cg_metric", metric_);
  }

 private:
  Buffer metric_, previous_;
  std::int64_t steps_ = 0;
};

}  // namespace

std::unique_ptr<Proposer> make_proposer(const std::string& name, std::size_t size, Dtype dtype) {
  if (name == "lbfgs") return std::make_unique<Lbfgs>();
  if (name == "heavy-ball") return std::make_unique<HeavyBall>();
  if (name == "nesterov") return std::make_unique<Nesterov>(size, dtype);
  if (name == "cg") return std::make_unique<ConjugateGradient>(size, dtype);
  throw Error("proposer: expected lbfgs, heavy-ball, nesterov or cg, got '" + name + "'");
}

}  // namespace mdbopt::search
