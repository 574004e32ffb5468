// logistic – fits a logistic regression on raw columns of very different scale: no scaling, no
// learning rate.
//
//   f(w) = mean of log(1 + exp(−y ⟨a, w⟩)) + ½ l2 |w|²
#include <mdbopt/search.h>

#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

namespace {

constexpr std::size_t kRows = 500;
constexpr std::size_t kColumns = 12;
constexpr double kL2 = 1e-6;
constexpr double kLess = 1e-7;

struct Logistic {
  double l2;
  std::vector<double> a = std::vector<double>(kRows * kColumns);
  std::vector<double> y = std::vector<double>(kRows);

  // Columns from 0.1 to 30000 in size, as raw measurements come.
  explicit Logistic(double of_l2) : l2(of_l2) {
    std::mt19937_64 bits(1);
    const auto number = [&] { return static_cast<double>(bits() >> 11) * 0x1p-52 - 1.0; };
    for (std::size_t i = 0; i < kRows; ++i) {
      double z = number();
      for (std::size_t j = 0; j < kColumns; ++j) {
        const double value = number();
        a[i * kColumns + j] = value * std::pow(10.0, 0.5 * static_cast<double>(j) - 1.0);
        z += j % 2 == 0 ? value : -value;
      }
      y[i] = z > 0.0 ? 1.0 : -1.0;
    }
  }

  double operator()(const double* w, std::vector<double>& g) const {
    double f = 0.0;
    for (std::size_t j = 0; j < kColumns; ++j) {
      f += 0.5 * l2 * w[j] * w[j];
      g[j] = l2 * w[j];
    }
    for (std::size_t i = 0; i < kRows; ++i) {
      const double* row = &a[i * kColumns];
      double margin = 0.0;
      for (std::size_t j = 0; j < kColumns; ++j) margin += y[i] * row[j] * w[j];
      const double tail = std::exp(-std::abs(margin));
      f += (std::log1p(tail) + std::fmax(-margin, 0.0)) / kRows;
      const double slope = -y[i] * (margin > 0.0 ? tail : 1.0) / (1.0 + tail) / kRows;
      for (std::size_t j = 0; j < kColumns; ++j) g[j] += slope * row[j];
    }
    return f;
  }
};

bool told(const mdbopt::Search& search) {
  const bool converged = search.gmax() <= 1e-8;
  std::printf("f = %.12f, max|g| = %.1e, %lld evaluations: %s\n", search.f(), search.gmax(),
              static_cast<long long>(search.evaluations()),
              converged ? "converged" : "NOT converged");
  return converged;
}

}  // namespace

int main() {
  const Logistic loss(kL2);
  std::vector<double> w(kColumns, 0.0);
  std::vector<double> g(kColumns);
  const mdbopt::Tensor point{w.data(), kColumns};
  const mdbopt::Tensor gradient{g.data(), kColumns};

  mdbopt::Search search;  // all defaults; step sizes are learnt
  search.init(point, loss(w.data(), g), gradient);
  while (!search.converged(1e-8) && search.evaluations() < 2000) {
    const auto* trial = static_cast<const double*>(search.propose().data);
    const double f = loss(trial, g);
    search.judge(f, gradient);
  }

  // With less of the penalty, from there.
  const Logistic other(kLess);
  const auto* at = static_cast<const double*>(search.x().data);
  w.assign(at, at + kColumns);
  mdbopt::Search next;
  next.init(point, other(w.data(), g), gradient, search, {kL2}, {kLess});
  while (!next.converged(1e-8) && next.evaluations() < 2000) {
    const double f = other(static_cast<const double*>(next.propose().data), g);
    next.judge(f, gradient);
  }
  return told(search) && told(next) ? 0 : 1;
}
