// norm – one kernel over an array: the sum of squares and the largest magnitude, in one pass.
#include <mdbopt/launch.h>

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
  const std::size_t n = 1'000'000;
  std::vector<double> a(n, 3.0);
  a[n / 2] = -4.0;

  const std::size_t norm = mdbopt::find_rule("norm");
  void* streams[] = {a.data()};
  const mdbopt::Job job{streams, n};
  const double scale[] = {1.0};
  double sums[2];  // norm2, max
  mdbopt::Execution execution;
  execution.threads = 2;  // the bits are the same for any number
  mdbopt::launch(norm, mdbopt::Dtype::kFloat64, {&job, 1}, scale, sums, execution);

  std::printf("|a|^2 = %.0f, max|a| = %.0f\n", sums[0], sums[1]);
  return sums[0] == 9.0 * (static_cast<double>(n) - 1.0) + 16.0 && sums[1] == 4.0 ? 0 : 1;
}
