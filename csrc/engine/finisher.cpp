#include "finisher.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace mdbopt {
namespace {

// The decay that a finish takes over from an update which holds back, and the gradient as that sees it.
Coef finish_coef(const CompiledRule& sweep, const Finish& finish, const Description& rule,
                 const double* scalars) {
  const auto of_update = [&](const char* name) {
    const std::size_t k = scalar_named(rule, name);
    return finish.holds_back() && k < rule.scalar_count ? scalars[k] : 0.0;
  };
  const double own[] = {finish.max_update,
                        finish.l1,
                        finish.averages() ? finish.average : 0.0,
                        finish.cautious ? 1.0 : 0.0,
                        finish.cautious_weight_decay ? 1.0 : 0.0,
                        of_update("weight_decay"),
                        of_update("l2"),
                        of_update("grad_scale")};
  Coef coef;
  sweep.prepare(own, 0.0, &coef);
  return coef;
}

}  // namespace

Finishing finishing_of(const Finish& finish, const Backend& backend, const Description& rule,
                       std::span<const Variant> variants) {
  static const std::size_t row = find_rule("finish");
  thread_local std::vector<Coef> coefs;
  coefs.clear();
  for (const Variant& variant : variants)
    coefs.push_back(finish_coef(backend.table[row][0], finish, rule, variant.scalars));
  return {backend.table[row], coefs.data(), finish.bounds() || finish.holds_back(),
          finish.holds_back(), finish.averages()};
}

bool prepare_variant(const CompiledRule& sweep, const Description& rule, const Finish& finish,
                     const double* scalars, double n, Coef* coef) {
  if (!finish.holds_back()) return sweep.prepare(scalars, n, coef);
  double own[kMaxScalars];
  std::copy_n(scalars, rule.scalar_count, own);
  own[scalar_named(rule, "weight_decay")] = 0.0;
  return sweep.prepare(own, n, coef);
}

Finisher::Finisher(const Finishing* finishing, const Job& job, Dtype dtype)
    : finishing_(finishing), dtype_(dtype), variant_(job.variant) {
  if (finishing_ == nullptr) return;
  if (dtype == Dtype::kFloat64) {
    std::fill_n(reinterpret_cast<double*>(lr_), kChunk, job.lr);
  } else {
    std::fill_n(reinterpret_cast<float*>(lr_), kChunk, static_cast<float>(job.lr));
  }
  if (!finishing_->averages) std::memset(average_, 0, sizeof average_);
}

void Finisher::keep(const Job& part) {
  if (!finishing_->looks_back) return;
  std::memcpy(before_, part.streams[0], part.size * info(dtype_).bytes);
}

void Finisher::finish(const Job& part, void* average) {
  void* x = part.streams[0];
  const void* lr = part.step_sizes != nullptr ? part.step_sizes : lr_;
  void* streams[] = {x, finishing_->looks_back ? before_ : x,
                     finishing_->holds_back ? part.streams[1] : x, const_cast<void*>(lr),
                     finishing_->averages ? average : average_};
  const CompiledRule& sweep = finishing_->row[static_cast<std::size_t>(dtype_)];
  sweep.apply({streams, part.size}, 0, 1, 0, {finishing_->coefs + variant_, 0}, nullptr);
}

}  // namespace mdbopt
