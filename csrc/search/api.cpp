// api – the search of <mdbopt/search.h>: what the search by the name of its method answers, as tensors.
#include <mdbopt/search.h>

#include "search.h"

namespace mdbopt {
namespace {

Tensor read_only(const search::Buffer& buffer) {
  Tensor tensor = buffer.tensor();
  tensor.writable = false;
  return tensor;
}

}  // namespace

Search::Search(const search::Options& options) : search_(search::make(options)) {}
Search::~Search() = default;
Search::Search(Search&&) noexcept = default;
Search& Search::operator=(Search&&) noexcept = default;

void Search::init(const Tensor& x, double f, const Tensor& g) { search_->init(x, f, g); }
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
