// quadratic – minimises Σ h_j (x_j − 1)²/2, h from 1 to 10⁶, with no word on step sizes.
#include <mdbopt/search.h>

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
  constexpr std::size_t kSize = 7;
  std::vector<double> x(kSize, 0.0), g(kSize);
  const auto evaluate = [&](const double* at) {
    double f = 0.0;
    for (std::size_t j = 0; j < kSize; ++j) {
      const double h = std::pow(10.0, static_cast<double>(j));
      g[j] = h * (at[j] - 1.0);
      f += 0.5 * g[j] * (at[j] - 1.0);
    }
    return f;
  };
  const mdbopt::Tensor point{x.data(), kSize};
  const mdbopt::Tensor gradient{g.data(), kSize};

  mdbopt::Search search;
  search.init(point, evaluate(x.data()), gradient);
  while (!search.converged(1e-8) && search.evaluations() < 1000) {
    const double f = evaluate(static_cast<const double*>(search.propose().data));
    search.judge(f, gradient);
  }
  std::printf("f = %g after %lld evaluations\n", search.f(),
              static_cast<long long>(search.evaluations()));
  return search.converged(1e-8) ? 0 : 1;
}
