#include "finisher.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace mdbopt {

std::size_t finish_rule() {
  static const std::size_t rule = find_rule("finish");
  return rule;
}

FinishScalars finish_scalars(const Finish& finish, const Description& rule, const double* scalars) {
  // The decay that it takes over from an update which it holds back, and the gradient as that sees it.
  const auto of_update = [&](const char* name) {
    const std::size_t k = scalar_named(rule, name);
    return finish.holds_back() && k < rule.scalar_count ? scalars[k] : 0.0;
  };
  return {finish.max_update,
          finish.l1,
          finish.averages() ? finish.average : 0.0,
          finish.cautious ? 1.0 : 0.0,
          finish.cautious_weight_decay ? 1.0 : 0.0,
          of_update("weight_decay"),
          of_update("l2"),
          of_update("grad_scale")};
}

void take_over(const Finish& finish, const Description& rule, double* scalars) {
  if (finish.holds_back()) scalars[scalar_named(rule, "weight_decay")] = 0.0;
}

Finishing finishing_of(const Finish& finish, const Backend& backend, const Description& rule,
                       std::span<const Variant> variants) {
  const CompiledRule* row = backend.table[finish_rule()];
  thread_local std::vector<Coef> coefs;
  coefs.clear();
  for (const Variant& variant : variants) {
    const FinishScalars scalars = finish_scalars(finish, rule, variant.scalars);
    row->prepare(scalars.data(), 0.0, &coefs.emplace_back());
  }
  return {row, coefs.data(), finish.looks_back(), finish.holds_back(), finish.averages()};
}

bool prepare_variant(const CompiledRule& sweep, const Description& rule, const Finish& finish,
                     const double* scalars, double n, Coef* coef) {
  if (!finish.holds_back()) return sweep.prepare(scalars, n, coef);
  double own[kMaxScalars];
  std::copy_n(scalars, rule.scalar_count, own);
  take_over(finish, rule, own);
  return sweep.prepare(own, n, coef);
}

Finisher::Finisher(const Finishing* finishing, Dtype dtype) : finishing_(finishing), dtype_(dtype) {
  if (finishing_ != nullptr && !finishing_->averages) std::memset(average_, 0, sizeof average_);
}

void Finisher::keep(const Job& part) {
  if (!finishing_->looks_back) return;
  std::memcpy(before_, part.streams[0], part.size * info(dtype_).bytes);
}

void Finisher::finish(const Job& part, void* average) {
  void* x = part.streams[0];
  void* streams[] = {x, finishing_->looks_back ? before_ : x,
                     finishing_->holds_back ? part.streams[1] : x,
                     finishing_->averages ? average : average_};
  Job finished = part;
  finished.streams = streams;
  const CompiledRule& sweep = finishing_->row[static_cast<std::size_t>(dtype_)];
  sweep.apply(finished, 0, 1, 0, {finishing_->coefs + part.variant, 0}, nullptr);
}

}  // namespace mdbopt
