// api – the search of <mdbopt/search.h>: what the search by the name of its method answers, as tensors.
#include <mdbopt/error.h>
#include <mdbopt/search.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "search.h"

namespace mdbopt {
namespace {

Tensor read_only(const search::Buffer& buffer) {
  Tensor tensor = buffer.tensor();
  tensor.writable = false;
  return tensor;
}

void check_ridge(const search::Ridge& ridge, const Tensor& x) {
  const auto possible = [](double l2) { return std::isfinite(l2) && l2 >= 0.0; };
  const Tensor* each = ridge.each;
  if (each != nullptr && (each->dtype != Dtype::kFloat64 || each->size != x.size))
    throw Error("l2: expected an array of " + std::to_string(x.size) + " float64, got one of " +
                std::to_string(each->size) + " " + info(each->dtype).name);
  const auto* numbers = each == nullptr ? &ridge.number : static_cast<const double*>(each->data);
  if (each != nullptr && !each->location.on_cpu()) return;  // as all arrays there, it is not read
  if (!std::all_of(numbers, numbers + (each == nullptr ? 1 : each->size), possible))
    throw Error("l2: expected finite numbers >= 0");
}

}  // namespace

Search::Search(const search::Options& options) : search_(search::make(options)) {}
Search::~Search() = default;
Search::Search(Search&&) noexcept = default;
Search& Search::operator=(Search&&) noexcept = default;

void Search::init(const Tensor& x, double f, const Tensor& g) { search_->init(x, f, g); }
void Search::init(const Tensor& x, double f, const Tensor& g, const Search& earlier) {
  search_->init(x, f, g, {earlier.search_.get(), false, {}, {}});
}
void Search::init(const Tensor& x, double f, const Tensor& g, const Search& earlier,
                  const search::Ridge& before, const search::Ridge& now) {
  check_ridge(before, x);
  check_ridge(now, x);
  search_->init(x, f, g, {earlier.search_.get(), true, before, now});
}
Tensor Search::propose() { return read_only(search_->propose()); }
bool Search::judge(double f, const Tensor& g) { return search_->judge(f, g); }
void Search::judge_async(const DeviceNumber& f, const Tensor& g) { search_->judge_async(f, g); }
Tensor Search::propose_async() { return read_only(search_->propose_async()); }

bool Search::converged(double gtol) const { return search_->converged(gtol); }
int Search::status() const { return static_cast<int>(search_->status()); }
Tensor Search::x() const { return read_only(search_->x()); }
Tensor Search::g() const { return read_only(search_->g()); }
double Search::f() const { return search_->f(); }
double Search::gmax() const { return search_->gmax(); }
std::int64_t Search::accepted() const { return search_->accepted(); }
std::int64_t Search::evaluations() const { return search_->evaluations(); }
std::int64_t Search::ncut() const { return search_->ncut(); }
void Search::step_sizes(double* out) const { search_->step_sizes(out); }

}  // namespace mdbopt
