// norm – one kernel over an array: the sum of squares and the largest magnitude, in one pass.
#include <mdbopt/by_name.h>

#include <cstdio>
#include <vector>

int main() {
  const std::size_t n = 1'000'000;
  std::vector<double> a(n, 3.0);
  a[n / 2] = -4.0;

  std::puts(mdbopt::signature(mdbopt::find_rule("norm")).c_str());
  mdbopt::Execution execution;
  execution.threads = 2;  // the bits are the same for any number
  const mdbopt::Outcome norm =
      mdbopt::run("norm", {{"a", mdbopt::tensor_of(a)}}, {{"scale", 1.0}}, execution);

  std::printf("|a|^2 = %.0f, max|a| = %.0f\n", norm["norm2"], norm["max"]);
  return norm["norm2"] == 9.0 * (static_cast<double>(n) - 1.0) + 16.0 && norm["max"] == 4.0 ? 0 : 1;
}
