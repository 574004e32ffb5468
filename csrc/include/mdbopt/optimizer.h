// optimizer – a first-order optimizer by names: a rule, its scalars, and arrays of parameters with what
// belongs to each.
//
//   std::vector<float> w = …, g(w.size());
//   mdbopt::Optimizer adamw("adam", {{"weight_decay", 1e-2}});
//   adamw.add({{"x", mdbopt::tensor_of(w)}, {"g", mdbopt::tensor_of(g)}});   // m and v are made
//   …write the gradient to g…
//   adamw.step(1e-3);
//
// It is an Updater (updater.h) with the arrays of its jobs.
//
// Contract. The arrays that are added stay the caller's, must outlive the optimizer, and those that are written overlap
// no other, in other calls of add neither; that is trusted. State that is not given is made, on the CPU alone, as
// it is before the first step: 0, or what its stream starts from (docs/cpp.md). Names that the rule does not have,
// and arrays that do not fit, are an Error before anything has changed. One thread at a time may use it.
#pragma once

#include <mdbopt/by_name.h>
#include <mdbopt/updater.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace mdbopt {

class Optimizer {
 public:
  // Of `options` how it runs: maximize, seed, execution, reducer, decay, finish; its name, rule and scalars
  // come from the names. Throws Error when the rule is unknown or no update, when it has no such scalar, when one without
  // a default is missing, and for t and grad_scale, which belong to a step.
  explicit Optimizer(const std::string& rule, const Scalars& scalars = {},
                     Updater::Options options = {});
  ~Optimizer();
  Optimizer(Optimizer&&) noexcept;
  Optimizer& operator=(Optimizer&&) noexcept;

  // Takes x, g and, if the caller keeps it, state: the rule's, and "average" where the finish has one. All arrays are in one memory. Returns the
  // array's number: 0, 1, …
  std::size_t add(const Streams& streams);

  // Steps all arrays in one pass; `call` as the Updater's, its location set here. Returns the norm of the gradients
  // where call.max_norm bounds it. Throws Error when nothing was added or lr is not finite.
  double step(double lr, Updater::Call call = {});

  // A stream of an array that was added, such as a state that was made here; to save it, with the numbers
  // of the updater.
  Tensor stream(std::size_t array, const std::string& name) const;

  // Its t, its numbers, and scalars that change between steps.
  Updater& updater() { return updater_; }

 private:
  struct Array {
    std::vector<Tensor> streams;
    std::vector<void*> pointers;
    std::vector<std::vector<double>> states;  // those made here
  };
  std::vector<Stream> described() const;
  Streams with_states(const Streams& given, Array& array) const;
  Dtype check(const Streams& all, Array& array) const;
  Location location() const;

  Updater updater_;
  std::vector<std::unique_ptr<Array>> arrays_;
  std::vector<Updater::Group> groups_;  // a dtype each
  std::vector<Job> jobs_;
};

}  // namespace mdbopt
