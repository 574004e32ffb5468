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

#include <mdbopt/options.h>
#include <mdbopt/tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "../engine/reduction.h"
#include "../engine/runner.h"
#include "../runtime/device.h"
#include "buffer.h"
#include "fields.h"
#include "groups.h"
#include "judgement.h"
#include "rule_runner.h"

namespace mdbopt::search {

class Search;

// What a search starts from beside x: an earlier one, and how its objective differed. Where that is
// not `known`, what is carried over is a guess.
struct Heritage {
  Search* earlier = nullptr;
  bool known = false;
  Ridge before, now;
};

class Search {
 public:
  virtual ~Search() = default;

  // Starts at x (finite) with f and g evaluated there; copies both arrays. Throws Error when sizes,
  // dtypes or devices differ, and when the search has started already.
  void init(const Tensor& x, double f, const Tensor& g);
  // The same with what an earlier search of this kind, size, dtype and device has learnt; it is left as
  // it was. Throws Error, naming warm_start, when it is of another kind.
  void init(const Tensor& x, double f, const Tensor& g, const Heritage& heritage);
  // The point to evaluate next; valid, and constant, until judge.
  const Buffer& propose();
  // Takes f and g at the proposed point; g is read, never kept. True: x moved there. Throws Error
  // when nothing is proposed or when g does not fit x. On a device all later work goes to the
  // stream of g.
  bool judge(double f, const Tensor& g);

  // The same with nothing read by the host, in the order of the stream of g, so that a graph may
  // record it; f is on the device, too, or known here. On a device only. What is asked of the search
  // then waits for the device. What differs from judge: a trial that is not finite stays, and the next
  // judgement takes a shorter step, whatever it is told of it; and once the search has ended, nothing
  // happens.
  void judge_async(const DeviceNumber& f, const Tensor& g);
  // As propose, but it neither waits nor says when the search has ended.
  const Buffer& propose_async();

  // Whether judge_async has been called: what is asked then waits for the device.
  bool on_device() const { return on_device_; }

  // What it is now, for which a device may have to be waited for.
  // max|g| ≤ gtol, or the search has ended (see status()).
  bool converged(double gtol) { return status() != Status::kRunning || gmax() <= gtol; }
  Status status() { return now().status; }
  const Buffer& x() {
    catch_up();
    return x_;
  }
  const Buffer& g() {
    catch_up();
    return g_;
  }
  double f() { return now().f_told; }  // with the penalty
  double gmax() { return unscaled(now(), now().gmax); }
  // f at the point last judged, with the penalty where it was looked at.
  double trial_f() { return now().f_trial_told; }
  // max|g| at the point last judged; NaN when f there was not finite, so that g was not looked at.
  double trial_gmax() { return unscaled(now(), now().trial_gmax); }
  std::int64_t ncut() { return now().ncut; }
  std::int64_t accepted() { return now().accepted; }
  std::int64_t evaluations() { return now().evaluations; }

  // Where its arrays are; the stream is that of its last work.
  const Location& location() const { return execution_->location; }
  // An array beside x.
  Buffer zeros(Dtype dtype) const { return runner_.zeros(dtype); }

  // Where x is at a bound: −1 the lower, 1 the upper, else 0; on the host, one per coordinate.
  void active(std::int8_t* out);
  // The step size of each coordinate that a plain step would use now; out has one double per
  // coordinate, where x is.
  virtual void step_sizes(double* out) = 0;
  // Tells the other shards, where there are any and they are not told yet, that this one ends with
  // these words.
  void fail(const char* words) noexcept;
  // Visits the whole state; loading into a search made with the same options and size continues to
  // the same bits, once it has been told that all is loaded.
  virtual void fields(Fields& fields);
  void loaded();

 protected:
  // The control of the derived search begins with a judgement; its slots come last.
  template <class Control>
  Search(const Options& options, Control& control)
      : options_(options),
        reduction_(options.reducer ? std::make_unique<Reduction>(options.reducer) : nullptr),
        execution_(std::make_shared<Execution>(options.execution)),
        judgement_(control),
        control_bytes_(sizeof control),
        numbers_bytes_(static_cast<std::size_t>(reinterpret_cast<char*>(&control.slots) -
                                                reinterpret_cast<char*>(&control))) {}

  // The partition of the coordinates; empty: none.
  virtual const Groups& groups() const = 0;
  // Of any pass over memory.
  virtual std::size_t most_sums() const { return kMaxSums; }
  // In a state that is loaded, or of one's own: a number that only has a meaning while it runs.
  const Range& while_running(const Range& range) const {
    return ended(judgement_.now) ? kAnything : range;
  }
  // Of a trial, or of what is said of it.
  const Range& of_trial(const Fields& fields, const Range& range) const {
    return fields.judged_async() ? kAnything : while_running(range);
  }
  // Takes back from the device what it may have changed since.
  void catch_up() {
    if (stale_) fetch();
  }
  const Numbers& now() {
    catch_up();
    return judgement_.now;
  }
  bool bounded() const { return judgement_.bounded; }
  bool penalised() const { return judgement_.penalised; }
  // Of x and g with gradients times `scale`, what the rule face_norm sums, or orthant; without bounds
  // ‖g‖² and max|g| alone.
  void norm(double scale, double* sums) const;
  bool lies_on_device() const { return !execution_->location.on_cpu(); }

  Options options_;
  std::unique_ptr<Reduction> reduction_;  // null: arrays are whole
  RuleRunner runner_;
  Buffer x_, g_, trial_, spare_x_, spare_g_;
  Buffer lower_, upper_, l1_;             // where x is bounded, and where F has a penalty
  std::unique_ptr<DeviceProgram> there_;  // on a device, once the search has started

 private:
  friend std::unique_ptr<Search> make(const Options& options, std::size_t size, Dtype dtype);
  void allocate(std::size_t size, Dtype dtype);
  virtual void allocate_more() = 0;  // runner_ is set
  // f, g and the scale are set: sets the first step's length.
  virtual void start() = 0;
  // After start: takes over what an earlier search that fits has learnt.
  virtual void inherit(const Heritage& heritage) = 0;
  // Makes room for what a judgement may add. True: the steps are to be made anew.
  virtual bool outgrown() { return false; }
  // Whether the trial is a point to be judged.
  virtual bool ready() const = 0;
  // Says where its arrays are and makes the steps of a program whose control will be at `control`.
  virtual void link(Program& program, void* control) = 0;
  // What has to be on a device beside the control.
  virtual void send() {}

  void meet(std::size_t size, Dtype dtype);
  // Whether it is so here or, where arrays are shards, on any of them.
  bool anywhere(bool here) const;
  void take_bounds();
  void take_penalty();
  void take_noise();  // the scale is set
  std::string method_within() const;
  // Does it; what it throws, the other shards are told.
  template <class Body>
  void with_shards(Body body);
  void begin(const Tensor& x, double f, const Tensor& g, const Heritage& heritage);
  void check_fits(const Heritage& heritage) const;
  void prepare();
  void check_whole() const;
  // Runs the program as long as it leaves something to do.
  void work(Told told);
  void fetch();
  void adopt();
  void check_fits(const Tensor& g) const;
  void take(const Tensor& g);
  void follow(const Location& location);

  std::shared_ptr<Execution> execution_;
  Judgement& judgement_;
  std::size_t control_bytes_,
      numbers_bytes_;      // of the whole control; of what comes before its slots
  ProgramRunner judging_;  // has the program, wherever it runs
  Memory control_there_;
  bool on_device_ = false;
  bool stale_ = false;  // the device knows better
  std::int64_t proposed_ = 0;
  bool unlinked_ = true;    // the steps are to be made
  bool half_done_ = false;  // a judgement has thrown among its walks
};

// A search by options.method. Throws Error, naming the option, when an option has no meaning.
std::unique_ptr<Search> make(const Options& options);
// The same with arrays allocated at the location of options.execution, ready for a saved state to be
// loaded through fields().
std::unique_ptr<Search> make(const Options& options, std::size_t size, Dtype dtype);

}  // namespace mdbopt::search
