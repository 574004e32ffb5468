// adamw – fits y = ⟨w, a⟩ + b with AdamW: two arrays of parameters, one pass over memory a step.
#include <mdbopt/updater.h>

#include <cmath>
#include <cstdio>

namespace {

constexpr std::size_t kRows = 64;
constexpr float kSlope = 2.0F;
constexpr float kOffset = -0.5F;

// The gradient of the mean of ½ (w a + b − y)² over the rows.
void gradient(float w, float b, float& g_w, float& g_b) {
  g_w = g_b = 0.0F;
  for (std::size_t i = 0; i < kRows; ++i) {
    const float a = static_cast<float>(i) / kRows - 0.5F;
    const float residual = w * a + b - (kSlope * a + kOffset);
    g_w += residual * a / kRows;
    g_b += residual / kRows;
  }
}

}  // namespace

int main() {
  mdbopt::Updater::Options options;
  options.name = "adamw";
  options.rule = mdbopt::find_rule("adam");
  const mdbopt::Description& rule = mdbopt::rule_description(options.rule);
  for (std::size_t k = 0; k < rule.scalar_count; ++k) {
    options.scalars.push_back(rule.scalars[k].fallback);  // beta1 = 0.9, beta2 = 0.999, …
  }
  mdbopt::Updater adamw(options);
  adamw.set_scalar("weight_decay", 1e-4);

  // The streams of the rule, for each array: x, g, and the moments m and v, which start at 0.
  float w[1] = {}, g_w[1], m_w[1] = {}, v_w[1] = {};
  float b[1] = {}, g_b[1], m_b[1] = {}, v_b[1] = {};
  void* streams_w[] = {w, g_w, m_w, v_w};
  void* streams_b[] = {b, g_b, m_b, v_b};
  const double lr = 0.02;
  const mdbopt::Job jobs[] = {{streams_w, 1, lr}, {streams_b, 1, lr}};

  for (int step = 0; step < 2000; ++step) {
    gradient(w[0], b[0], g_w[0], g_b[0]);
    adamw.step(mdbopt::Dtype::kFloat32, jobs, {});
  }
  const bool close = std::abs(w[0] - kSlope) < 1e-2F && std::abs(b[0] - kOffset) < 1e-2F;
  std::printf("w = %.4f, b = %.4f after %llu steps: %s\n", static_cast<double>(w[0]),
              static_cast<double>(b[0]), static_cast<unsigned long long>(adamw.t()),
              close ? "fitted" : "NOT fitted");
  return close ? 0 : 1;
}
