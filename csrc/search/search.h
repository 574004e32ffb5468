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
// A search owns its arrays, which live where x does: on a device no array of x's size ever crosses
// to the host, only a few sums. It never proposes a point that is not finite, never moves to a point
// where f or g is not finite, and keeps f(x) bit for bit as it was told.
#pragma once

#include <cstdint>
#include <memory>

#include "../device.h"
#include "../tensor.h"
#include "buffer.h"
#include "fields.h"
#include "groups.h"
#include "numbers.h"
#include "options.h"
#include "walks.h"

namespace mdbopt::search {

class Search {
 public:
  virtual ~Search() = default;

  // Starts at x (finite) with f and g evaluated there; copies both arrays. Throws Error when sizes,
  // dtypes or devices differ, and when the search has started already.
  void init(const Tensor& x, double f, const Tensor& g);
  // The point to evaluate next; valid, and constant, until judge.
  const Buffer& propose();
  // Takes f and g at the proposed point; g is read, never kept. True: x moved there. Throws Error
  // when nothing is proposed or when g does not fit x. On a device all later work goes to the
  // stream of g.
  bool judge(double f, const Tensor& g);

  // The same with nothing read by the host, in the order of the stream of g, so that a graph may
  // record it; f is on the device, too, or known here. On a device only; of a set without groups and
  // refinement whose size is found, or of a guarded search by L-BFGS with co-coercive cuts. From the
  // first call on, the trial keeps its place in memory, and what is asked of the search waits for the
  // device. What differs from judge: a trial that is not finite stays, and the next judgement takes a
  // shorter step, whatever it is told of it; and once the search has ended, nothing happens.
  virtual void judge_later(const DeviceNumber& f, const Tensor& g) = 0;
  // As propose, but it neither waits nor says when the search has ended.
  const Buffer& propose_later();

  // Whether judge_later has been called: what is asked then waits for the device.
  bool away() const { return away_; }

  // max|g| ≤ gtol, or the search has ended (see status()).
  bool converged(double gtol) const { return status() != Status::kRunning || gmax() <= gtol; }
  Status status() const { return here().now_.status; }
  const Buffer& x() const { return here().x_; }
  const Buffer& g() const { return here().g_; }
  double f() const { return here().now_.f_told; }
  double gmax() const { return unscaled(here().now_.gmax); }
  // max|g| at the point last judged; NaN when f there was not finite, so that g was not looked at.
  double trial_gmax() const { return unscaled(here().now_.trial_gmax); }
  std::int64_t ncut() const { return here().now_.ncut; }
  std::int64_t accepted() const { return here().now_.accepted; }
  std::int64_t evaluations() const { return here().now_.evaluations; }

  // Where its arrays are; the stream is that of its last work.
  const Place& place() const { return execution_->place; }
  // An array beside x.
  Buffer zeros(Dtype dtype) const { return walks_.zeros(dtype); }

  // The step size of each coordinate that a plain step would use now; out has one double per
  // coordinate, where x is.
  virtual void step_sizes(double* out) const = 0;
  // Visits the whole state; loading into a search made with the same options and size continues to
  // the same bits, once it has been told that all is loaded.
  virtual void fields(Fields& fields);
  virtual void loaded() = 0;

 protected:
  explicit Search(const Options& options)
      : options_(options), execution_(std::make_shared<Execution>(options.execution)) {}

  virtual void start() = 0;  // x_, g_, f_ are set: propose the first trial
  virtual bool judge_trial(double f, const Tensor& g) = 0;  // f over the scale, finite
  virtual std::int64_t patience() const = 0;                // see count_gain
  virtual void fail_trial() = 0;                            // f or g is not finite at the trial

  void end(Status status) { search::end(now_, status); }
  bool out_of_range(double f_trial, double gmax_trial, double huge) {
    return search::out_of_range(now_, f_trial, gmax_trial, huge);
  }
  double scaled(double value) const { return search::scaled(now_, value); }
  double unscaled(double value) const { return search::unscaled(now_, value); }
  bool noise(double f_trial) const { return search::noise(now_, f_trial, limits_); }
  bool too_short(double moved) const { return search::too_short(now_, moved, limits_); }

  // The partition of the coordinates; empty: none.
  virtual const Groups& groups() const = 0;
  // In a state that is loaded, or of one's own: a number that only has a meaning while it runs.
  const Range& while_running(const Range& range) const { return ended(now_) ? kAnything : range; }
  // Of a trial, or of what is said of it.
  const Range& of_trial(const Fields& fields, const Range& range) const {
    return fields.judged_later() ? kAnything : while_running(range);
  }

  // Judges on the device where judge_later has; false: it has not.
  virtual bool judged_there(double, const Tensor&, bool&) { return false; }
  // Takes the state back from the device, which may have changed it since.
  virtual void fetch() {}
  const Search& here() const {
    if (away_) const_cast<Search*>(this)->fetch();
    return *this;
  }
  // Throws unless g fits x.
  void check_fits(const Tensor& g) const;
  // Later work follows g to its stream.
  void take(const Tensor& g);

  Options options_;
  Precision limits_{};
  Walks walks_;
  Buffer x_, g_, trial_;
  Numbers now_;
  bool away_ = false;

 private:
  friend std::unique_ptr<Search> make(const Options& options, std::size_t size, Dtype dtype);
  void allocate(std::size_t size, Dtype dtype);
  virtual void allocate_more() = 0;  // walks_ are set
  void follow(const Place& place);

  std::shared_ptr<Execution> execution_;
  std::int64_t proposed_ = 0;
};

// A search by options.method. Throws Error, naming the option, when an option has no meaning.
std::unique_ptr<Search> make(const Options& options);
// The same with arrays allocated at the place of options.execution, ready for a saved state to be
// loaded through fields().
std::unique_ptr<Search> make(const Options& options, std::size_t size, Dtype dtype);

}  // namespace mdbopt::search
