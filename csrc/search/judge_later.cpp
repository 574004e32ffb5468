// judge_later – multidimensional backtracking whose decisions are taken on a device.
#include "../error.h"
#include "multidimensional.h"
#include "shape.h"

namespace mdbopt::search {

void Multidimensional::check_judge_later() const {
  const auto refuse = [](const std::string& where) {
    throw Error("wait: expected True " + where + ", got False");
  };
  if (x_.size() == 0) throw Error("judge: the search has no point yet; call init first");
  if (place().on_cpu()) refuse("for arrays on the CPU");
  if (!options_.groups.empty()) refuse("with groups");
  if (!set_->fused()) refuse("with refine > 0");
  if (seeking_ != 0) {
    refuse(
        "until the first set is found: pass initial_scale, or wait as long as state['seeking'] "
        "is 1");
  }
}

void Multidimensional::move_there(const Place& at) {
  static const std::size_t cut_pair = find_rule("ellipsoid_cut_pair");
  static const std::size_t norm = find_rule("ellipsoid_norm");
  static const std::size_t rescale = find_rule("rescale");
  const Shape& shape = set_->shape();
  DeviceSearch search{};
  search.dtype = x_.dtype();
  search.size = x_.size();
  search.secant = shape.secant;
  search.accept = shape.advance;
  search.trial = shape.trial;
  search.cut = shape.gradient_direction ? cut_pair : shape.cut_trial;
  search.norm = shape.gradient_direction ? norm : DeviceSearch::kNone;
  search.rescale = rescale;
  search.x = x_.data();
  search.spare_x = spare_x_.data();
  search.g = g_.data();
  search.spare_g = spare_g_.data();
  search.x_trial = trial_.data();
  search.set = set_->array();
  judgement_ = device_library().judge(search, {set_->facts(), limits_, options_.forward}, at);
  away_ = true;
  send();
}

void Multidimensional::judge_later(const DeviceNumber& f, const Tensor& g) {
  check_judge_later();
  check_fits(g);
  if (judgement_ == nullptr) move_there(g.place);
  take(g);
  stale_ = true;
  judgement_->queue(f, g.data, g.place);
}

bool Multidimensional::judged_there(double f, const Tensor& g, bool& moved) {
  if (judgement_ == nullptr) return false;
  fetch();
  const std::int64_t accepted = now_.accepted;
  stale_ = true;
  judgement_->queue({f}, g.data, g.place);
  fetch();
  moved = now_.accepted != accepted;
  if (!ended(now_) && !proposal_.finite()) {
    settle();
    send();
  }
  return true;
}

void Multidimensional::fetch() {
  if (!stale_) return;
  Judging judging;
  judgement_->read(judging);
  stale_ = judgement_->recorded();
  now_ = judging.now;
  set_->set_extent(judging.set);
  proposal_ = judging.proposal;
  if (judging.swapped == swapped_) return;
  x_.swap(spare_x_);
  g_.swap(spare_g_);
  swapped_ = judging.swapped;
}

void Multidimensional::send() { judgement_->write({now_, set_->extent(), proposal_, swapped_}); }

}  // namespace mdbopt::search
