// adamw – fits y = ⟨w, a⟩ + b with AdamW: two arrays of parameters, one pass over memory a step.
#include <mdbopt/optimizer.h>

#include <cmath>
#include <cstdio>
#include <vector>

namespace {

constexpr std::size_t kRows = 64;
constexpr std::size_t kColumns = 3;
constexpr float kSlopes[kColumns] = {2.0F, -1.0F, 0.25F};
constexpr float kOffset = -0.5F;

// Powers of a number from −½ to ½.
float table(std::size_t row, std::size_t column) {
  const float a = static_cast<float>(row) / kRows - 0.5F;
  return column == 0 ? a : a * table(row, column - 1);
}

// The gradient of the mean of ½ (⟨w, a⟩ + b − y)² over the rows.
void gradient(const std::vector<float>& w, float b, std::vector<float>& g_w, float& g_b) {
  g_w.assign(kColumns, 0.0F);
  g_b = 0.0F;
  for (std::size_t i = 0; i < kRows; ++i) {
    float residual = b - kOffset;
    for (std::size_t j = 0; j < kColumns; ++j) residual += (w[j] - kSlopes[j]) * table(i, j);
    for (std::size_t j = 0; j < kColumns; ++j) g_w[j] += residual * table(i, j) / kRows;
    g_b += residual / kRows;
  }
}

}  // namespace

int main() {
  std::vector<float> w(kColumns), g_w(kColumns);
  float b[1] = {}, g_b[1] = {};

  mdbopt::Optimizer adamw("adam", {{"weight_decay", 1e-6}, {"beta2", 0.99}});
  adamw.add({{"x", mdbopt::tensor_of(w)}, {"g", mdbopt::tensor_of(g_w)}});
  adamw.add({{"x", mdbopt::tensor_of(b)}, {"g", mdbopt::tensor_of(g_b)}});
  for (int step = 0; step < 20'000; ++step) {
    gradient(w, b[0], g_w, g_b[0]);
    adamw.step(0.02);
  }

  float error = std::abs(b[0] - kOffset);
  for (std::size_t j = 0; j < kColumns; ++j) error = std::fmax(error, std::abs(w[j] - kSlopes[j]));
  const bool close = error < 1e-2F;
  std::printf("w = %.3f, %.3f, %.3f, b = %.3f after %llu steps: %s\n", static_cast<double>(w[0]),
              static_cast<double>(w[1]), static_cast<double>(w[2]), static_cast<double>(b[0]),
              static_cast<unsigned long long>(adamw.updater().t()),
              close ? "fitted" : "NOT fitted");
  return close ? 0 : 1;
}
