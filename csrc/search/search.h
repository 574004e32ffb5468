// search – proposes a point, is told f and g there, and judges: it moves, or it learns better step
// sizes.
//
//   auto search = mdbopt::search::make(options);
//   search->init(x, f, g);
//   while (!search->converged(1e-8)) {
//     const double* y = static_cast<const double*>(search->propose().data());
//     …evaluate f_y and g_y at y…
//     search->judge(f_y, g_y);
//   }
//
// A search owns its arrays. It never proposes a point that is not finite, never moves to a point
// where f or g is not finite, and keeps f(x) bit for bit as it was told.
#pragma once

#include <cstdint>
#include <memory>

#include "../tensor.h"
#include "buffer.h"
#include "fields.h"
#include "normaliser.h"
#include "options.h"
#include "walks.h"

namespace mdbopt::search {

enum class Status : std::int64_t {
  kRunning = -1,
  kPrecision = 2,  // no step moves x any more, or no decrease can be told from rounding
  kNotFinite = 3,  // f or g is not finite at the start, or f decreases to −inf
};

class Search {
 public:
  virtual ~Search() = default;

  // Starts at x (finite) with f and g evaluated there; copies both arrays. Throws Error when sizes
  // or dtypes differ, and when the search has started already.
  void init(const Tensor& x, double f, const Tensor& g);
  // The point to evaluate next; valid, and constant, until judge.
  const Buffer& propose();
  // Takes f and g at the proposed point; g is read, never kept. True: x moved there. Throws Error
  // when nothing is proposed or when g does not fit x.
  bool judge(double f, const Tensor& g);

  // max|g| ≤ gtol, or the search has ended (see status()).
  bool converged(double gtol) const { return status() != Status::kRunning || gmax() <= gtol; }
  Status status() const { return static_cast<Status>(status_); }
  const Buffer& x() const { return x_; }
  const Buffer& g() const { return g_; }
  double f() const { return f_told_; }
  double gmax() const { return unscaled(gmax_); }
  // max|g| at the point last judged; NaN when f there was not finite, so that g was not looked at.
  double trial_gmax() const { return unscaled(trial_gmax_); }
  std::int64_t ncut() const { return ncut_; }
  std::int64_t accepted() const { return accepted_; }
  std::int64_t evaluations() const { return evaluations_; }

  // The step size of each coordinate that a plain step would use now; out has one double per
  // coordinate.
  virtual void step_sizes(double* out) const = 0;
  // Visits the whole state; loading into a search made with the same options and size continues to
  // the same bits.
  virtual void fields(Fields& fields);

 protected:
  explicit Search(const Options& options) : options_(options) {}

  virtual void start() = 0;  // x_, g_, f_ are set: propose the first trial
  virtual bool judge_trial(double f, const Tensor& g) = 0;  // f over the scale, finite
  virtual void fail_trial() = 0;                            // f or g is not finite at the trial

  void end(Status status);
  // Whether a trial's gradient is not finite or beyond what the search can square; counts one that
  // also fell.
  bool out_of_range(double f_trial, double gmax_trial, double huge);
  // Rounding may let f rise by a few units, but never above where it began.
  bool no_worse_than_start() const { return f_trial_told_ <= f_start_told_; }
  double scaled(double value) const;
  double unscaled(double value) const;
  bool noise(double f_trial) const;
  // Whether a trial that moves x by `moved` can still tell anything: it must move x at all, and not
  // be vanishingly short beside the steps so far while the gradient is as large as ever, as happens
  // at a kink at the origin, where x has no last unit of precision to stop at.
  bool too_short(double moved) const;

  Options options_;
  Precision limits_{};
  Walks walks_;
  Buffer x_, g_, trial_;
  double f_ = 0.0;  // over the scale 2^exponent_, as all that follows
  double gmax_ = 0.0;
  double trial_gmax_ = 0.0;
  double scale_ = 1.0;  // 2^−exponent_
  double moved_ = 0.0;  // max|x⁺ − x| of the trial
  std::int64_t ncut_ = 0;

 private:
  friend std::unique_ptr<Search> make(const Options& options, std::size_t size, Dtype dtype);
  void allocate(std::size_t size, Dtype dtype);
  virtual void allocate_more(std::size_t size, Dtype dtype) = 0;
  void check_gradient(const Tensor& g) const;

  double gmax_start_ = 0.0;
  double longest_move_ = 0.0;  // of all accepted
  double f_told_ = 0.0;
  double f_trial_told_ = 0.0;
  double f_start_told_ = 0.0;
  std::int64_t exponent_ = 0;
  std::int64_t accepted_ = 0;
  std::int64_t evaluations_ = 0;
  std::int64_t infinite_descents_ = 0;  // since the last accepted point
  std::int64_t status_ = static_cast<std::int64_t>(Status::kRunning);
  std::int64_t proposed_ = 0;
};

// A search by options.method. Throws Error, naming the option, when an option has no meaning.
std::unique_ptr<Search> make(const Options& options);
// The same with arrays allocated, ready for a saved state to be loaded through fields().
std::unique_ptr<Search> make(const Options& options, std::size_t size, Dtype dtype);

}  // namespace mdbopt::search
