// finisher – what follows an update on each chunk, while that is in the first cache: the rule of csrc/rules/finish.h.
#pragma once

#include <mdbopt/dtype.h>
#include <mdbopt/launch.h>

#include <array>
#include <cstddef>
#include <span>

#include "../base/fold.h"
#include "backend.h"

namespace mdbopt {

std::size_t finish_rule();

// The scalars of that rule, behind an update of these.
using FinishScalars = std::array<double, 8>;
FinishScalars finish_scalars(const Finish& finish, const Description& rule, const double* scalars);

// Leaves of an update's scalars what the finish does not take over.
void take_over(const Finish& finish, const Description& rule, double* scalars);

struct Finishing {
  const CompiledRule* row;  // by dtype
  const Coef* coefs;        // by variant; good until the next finishing_of of this thread
  bool looks_back, holds_back, averages;
};
Finishing finishing_of(const Finish& finish, const Backend& backend, const Description& rule,
                       std::span<const Variant> variants);

// Makes the coef of a variant of an update: without its decay where the finish takes that over.
bool prepare_variant(const CompiledRule& sweep, const Description& rule, const Finish& finish,
                     const double* scalars, double n, Coef* coef);

class Finisher {
 public:
  // Of jobs of this dtype; without a finish nothing is done.
  Finisher(const Finishing* finishing, Dtype dtype);
  explicit operator bool() const { return finishing_ != nullptr; }
  bool averages() const { return finishing_ != nullptr && finishing_->averages; }

  // Keeps x as the update finds it.
  void keep(const Job& part);
  void finish(const Job& part, void* average);

 private:
  const Finishing* finishing_;
  Dtype dtype_;
  alignas(64) unsigned char before_[kChunk * sizeof(double)];
  alignas(64) unsigned char average_[kChunk * sizeof(double)];  // where none is kept
};

}  // namespace mdbopt
