// search – minimises a function of many variables and learns a step size for each of them: it proposes
// a point, is told f and the gradient there, and judges.
//
//   mdbopt::Search search;                       // all defaults: the method "guarded"
//   search.init(x, f, g);                        // f and g at x
//   while (!search.converged(1e-8)) {
//     const mdbopt::Tensor y = search.propose();
//     …evaluate f and g at y…
//     search.judge(f, g);
//   }
//
// Contract. x and g are dense, of one size, of float64 or float32, and in one memory, the CPU's or a
// device's. A search copies x and g and owns its arrays, which live where x does: on a device no array
// of x's size ever crosses to the host, only a few sums. It never proposes a point that is not finite,
// never moves to a point where f or g is not finite, and keeps f(x) bit for bit as it was told. An
// argument that does not fit is an Error that names it, and leaves the search as it was. Where memory ends
// (std::bad_alloc), the call may be made again, unless it was a judgement that had begun to write: then what
// follows is an Error. One thread at a time may use a search; different searches may run side by side.
#pragma once

#include <mdbopt/options.h>
#include <mdbopt/tensor.h>

#include <cstdint>
#include <memory>

namespace mdbopt {

namespace search {
class Search;
}

class Search {
 public:
  // Throws Error, naming the option, when an option has no meaning.
  explicit Search(const search::Options& options = {});
  ~Search();
  Search(Search&&) noexcept;
  Search& operator=(Search&&) noexcept;

  // Starts at x (finite) with f and g evaluated there. Throws Error when sizes, dtypes or devices
  // differ, and when the search has started already.
  void init(const Tensor& x, double f, const Tensor& g);
  // The same with what an earlier search has learnt, which stays as it was: its set of step sizes and
  // its pairs. It has started, and is of the same method, size, dtype, device and groups, else Error.
  // Where the objectives differ in the coefficients of ½ Σ l2 x² alone, say so, and all that is carried
  // over is exact (docs/paths.md); else the set is enlarged.
  void init(const Tensor& x, double f, const Tensor& g, const Search& earlier);
  void init(const Tensor& x, double f, const Tensor& g, const Search& earlier,
            const search::Ridge& before, const search::Ridge& now);
  // The point to evaluate next; valid, and not to be written, until judge.
  Tensor propose();
  // Takes f and g at the proposed point; g is read, never kept. True: x moved there. Throws Error when
  // nothing is proposed or when g does not fit x. On a device all later work goes to the stream of g.
  bool judge(double f, const Tensor& g);

  // The same with nothing read by the host, in the order of the stream of g, so that a graph may record
  // it; f is on the device, too, or known here. On a device only. A trial that is not finite stays, and
  // the next judgement takes a shorter step; once the search has ended, nothing happens. What is asked
  // of the search from then on waits for the device.
  void judge_async(const DeviceNumber& f, const Tensor& g);
  // As propose, but it neither waits nor says when the search has ended.
  Tensor propose_async();

  // max|g| ≤ gtol, or the search has ended.
  bool converged(double gtol) const;
  // −1 while it runs; 2: no step moves x any more, or no decrease can be told from rounding; 3: f or g
  // is not finite at the start, or f decreases to −inf.
  int status() const;

  // The best point so far and what was told there; valid until the next call that is not const.
  Tensor x() const;
  Tensor g() const;
  double f() const;
  double gmax() const;  // max|g|
  // Judgements that moved x, all judgements and the start, and cuts of the set of step sizes.
  std::int64_t accepted() const;
  std::int64_t evaluations() const;
  std::int64_t ncut() const;
  // The step size of each coordinate that a plain step would use now: writes one double per coordinate
  // to `out`, which is where x is.
  void step_sizes(double* out) const;

 private:
  std::unique_ptr<search::Search> search_;
};

}  // namespace mdbopt
