// guarded_later – a guarded search whose decisions are taken on a device.
#include <vector>

#include "../error.h"
#include "guarded.h"

namespace mdbopt::search {

void Guarded::check_judge_later() const {
  const auto refuse = [](const std::string& where) {
    throw Error("wait: expected True " + where + ", got False");
  };
  if (x_.size() == 0) throw Error("judge: the search has no point yet; call init first");
  if (place().on_cpu()) refuse("for arrays on the CPU");
  if (!options_.groups.empty()) refuse("with groups");
  if (!options_.cocoercive) refuse("with cut='hypergradient'");
  if (options_.proposer != "lbfgs") refuse("for proposer " + options_.proposer);
}

void Guarded::move_there(const Place& at) {
  static const DeviceGuarded::Rules rules = {
      .pair = find_rule("pair"),
      .product = find_rule("pair_product"),
      .products = find_rule("pair_products"),
      .learn = find_rule("learn"),
      .rescale = find_rule("rescale"),
      .decrease = find_rule("decrease"),
      .scaled = find_rule("scaled"),
      .add = find_rule("add_pair"),
      .adds = find_rule("add_pairs"),
      .metric = find_rule("apply_metric"),
      .pair_dot = find_rule("pair_dot"),
      .pair_dots = find_rule("pair_dots"),
      .dot = find_rule("dot"),
      .coast = find_rule("coast"),
      .along = find_rule("along"),
      .first = find_rule("gradient_trial"),
      .plain = find_rule("box_trial"),
  };
  if (spare_x_.size() == 0) spare_x_ = walks_.zeros();
  pairs_.reserve();
  proposer_->follow(pairs_.ring());
  std::vector<void*> s, y;
  for (const Buffer& buffer : pairs_.all_s()) s.push_back(buffer.data());
  for (const Buffer& buffer : pairs_.all_y()) y.push_back(buffer.data());
  DeviceGuarded search{};
  search.rules = rules;
  search.dtype = x_.dtype();
  search.size = x_.size();
  search.x = x_.data();
  search.spare_x = spare_x_.data();
  search.g = g_.data();
  search.spare_g = spare_g_.data();
  search.x_trial = trial_.data();
  search.delta = delta_.data();
  search.b = b_.data();
  search.s = s;
  search.y = y;
  judgement_ = device_library().judge_guarded(search, facts_, at);
  away_ = true;
  send();
}

void Guarded::judge_later(const DeviceNumber& f, const Tensor& g) {
  check_judge_later();
  check_fits(g);
  if (judgement_ == nullptr) move_there(g.place);
  take(g);
  stale_ = true;
  judgement_->queue(f, g.data, g.place);
}

bool Guarded::judged_there(double f, const Tensor& g, bool& moved) {
  if (judgement_ == nullptr) return false;
  fetch();
  const std::int64_t accepted = now_.accepted;
  stale_ = true;
  judgement_->queue({f}, g.data, g.place);
  fetch();
  moved = now_.accepted != accepted;
  if (!ended(now_) && go_on()) send();
  return true;
}

Tables Guarded::tables() const {
  Tables tables{};
  proposer_->tables(pairs_, tables);
  return tables;
}

void Guarded::fetch() {
  if (!stale_) return;
  GuardedJudging judging;
  judgement_->read(judging, tables());
  stale_ = judgement_->recorded();
  now_ = judging.now;
  guard_ = judging.guard;
  metric_ = judging.metric;
  pairs_.set_ring(judging.pairs);
  if (judging.swapped == swapped_) return;
  x_.swap(spare_x_);
  g_.swap(spare_g_);
  swapped_ = judging.swapped;
}

void Guarded::send() {
  judgement_->write({now_, guard_, metric_, pairs_.ring(), swapped_}, tables());
}

}  // namespace mdbopt::search
