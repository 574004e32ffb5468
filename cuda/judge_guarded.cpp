// judge_guarded – the sequence of a guarded judgement. Every walk does nothing where its flag says so.
//
//   begin  pair fold {products fold}  measured  learn fold  decide  rescale  copy  decrease fold
//   choose  scaled {add} metric {dots fold}  recall  {add} dot fold  coast  along fold  first fold
//   arrive  clear  plain fold  settle
//
// In braces what there is for every bundle of pairs.
#include <algorithm>
#include <string>
#include <vector>

#include "device.h"
#include "judge.h"
#include "judge_guarded.h"
#include "memory.h"
#include "queue.h"
#include "table.h"

namespace mdbopt::cuda {
namespace {

// Where everything that is no sum of a walk lies, in bytes.
struct Layout {
  std::size_t bundles, pointers, tables, bytes;

  Layout(std::size_t bundle_count, std::size_t slots)
      : bundles(aligned(sizeof(GuardedControl))),
        pointers(bundles + aligned(bundle_count * sizeof(Bundle))),
        tables(pointers + aligned(2 * slots * sizeof(void*))),
        bytes(tables + (slots * slots + 7 * slots) * sizeof(double)) {}

 private:
  static std::size_t aligned(std::size_t size) { return (size + 255) / 256 * 256; }
};

search::Tables tables_at(double* table, std::size_t slots) {
  return {table,
          table + slots,
          table + 7 * slots,
          table + 2 * slots,
          table + 3 * slots,
          table + 4 * slots};
}

// Between tables alike.
template <class Copy>
void for_tables(const search::Tables& a, const search::Tables& b, std::size_t slots, Copy copy) {
  copy(a.curvature, b.curvature, slots);
  copy(a.scale, b.scale, slots);
  copy(a.sy, b.sy, slots * slots);
  copy(a.sg, b.sg, slots);
  copy(a.fresh_sy, b.fresh_sy, slots);
  copy(a.fresh_sg, b.fresh_sg, slots);
}

class JudgeGuarded final : public GuardedJudgement {
 public:
  JudgeGuarded(const DeviceGuarded& search, const search::GuardingFacts& facts, const Place& place)
      : search_(search),
        place_(place),
        chunks_((search.size + kChunk - 1) / kChunk),
        slots_(search.s.size()),
        fives_((slots_ - 1) / kFive),
        bundles_(fives_ + std::min(slots_ - 1, kFive - 1)) {
    const OnDevice scope(place.device);
    const Layout layout(bundles_, slots_);
    memory_ = static_cast<unsigned char*>(allocate(place, layout.bytes));
    control_ = reinterpret_cast<GuardedControl*>(memory_);
    bundle_ = reinterpret_cast<Bundle*>(memory_ + layout.bundles);
    tables_ = tables_at(reinterpret_cast<double*>(memory_ + layout.tables), slots_);
    try {
      partials_ = static_cast<double*>(
          allocate(place, (chunks_ * kMaxSums + fold_scratch(chunks_, kMaxSums)) * sizeof(double)));
      scratch_ = partials_ + chunks_ * kMaxSums;
      fill(layout, facts);
    } catch (...) {
      release();
      throw;
    }
  }
  ~JudgeGuarded() override { release(); }
  JudgeGuarded(const JudgeGuarded&) = delete;
  JudgeGuarded& operator=(const JudgeGuarded&) = delete;

  void queue(const DeviceNumber& f, void* g, const Place& place) override {
    const OnDevice scope(place.device);
    place_ = place;
    recorded_ = recorded_ || is_capturing(place);
    queue_guarded_begin(control_, f, g, place);
    measure();
    queue_guarded_measured(control_, place);
    const DeviceGuarded::Rules& rules = search_.rules;
    const GuardedSkip& skip = control_->skip;
    apply(rules.learn, control_->learn, &control_->learn_coef, skip.learn, control_->learn_sums);
    queue_guarded_decide(control_, place);
    apply(rules.rescale, control_->rescale, &control_->rescale_coef, skip.rescale);
    apply(rules.scaled, control_->copy, &control_->copy_coef, skip.copy);
    gather(rules.decrease, control_->decrease, &control_->scale_coef, skip.decrease,
           control_->decrease_sums);
    queue_guarded_choose(control_, place);
    direct();
    apply(rules.coast, control_->coast, &control_->coast_coef, skip.coast);
    apply(rules.along, control_->along, &control_->along_coef, skip.along, control_->along_sums);
    apply(rules.first, control_->first, &control_->first_coef, skip.first, control_->first_sums);
    queue_guarded_arrive(control_, place);
    apply(rules.along, control_->clear, &control_->clear_coef, skip.clear);
    apply(rules.plain, control_->plain, &control_->plain_coef, skip.plain, control_->plain_sums);
    queue_guarded_settle(control_, place);
  }

  bool recorded() const override { return recorded_; }

  void read(search::GuardedJudging& judging, const search::Tables& tables) override {
    const OnDevice scope(place_.device);
    catch_up(place_, recorded_);
    const auto fetch = [&](void* to, const void* from, std::size_t bytes) {
      check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_of(place_)),
            place_.device, "reading a search's numbers");
    };
    fetch(&judging, &control_->judging, sizeof judging);
    for_tables(tables, tables_, slots_, [&](double* to, const double* from, std::size_t count) {
      fetch(to, from, count * sizeof(double));
    });
    check(cudaStreamSynchronize(stream_of(place_)), place_.device, "in work queued before");
  }

  void write(const search::GuardedJudging& judging, const search::Tables& tables) override {
    upload(place_, &control_->judging, &judging, sizeof judging);
    for_tables(tables_, tables, slots_, [&](double* to, const double* from, std::size_t count) {
      upload(place_, to, from, count * sizeof(double));
    });
  }

 private:
  static constexpr auto kFive = static_cast<std::size_t>(search::kBundle);

  void fill(const Layout& layout, const search::GuardingFacts& facts) {
    auto** pointers = reinterpret_cast<void**>(memory_ + layout.pointers);
    upload(place_, pointers, search_.s.data(), slots_ * sizeof(void*));
    upload(place_, pointers + slots_, search_.y.data(), slots_ * sizeof(void*));
    std::vector<Bundle> bundles(bundles_);
    for (std::size_t k = 0; k < bundles_; ++k) bundles[k].pairs = k < fives_ ? search::kBundle : 1;
    upload(place_, bundle_, bundles.data(), bundles_ * sizeof(Bundle));
    GuardedControl control{};
    control.facts = facts;
    control.arrays = search_;
    control.arrays.s = {pointers, slots_};
    control.arrays.y = {pointers + slots_, slots_};
    control.tables = tables_;
    control.alpha = tables_.fresh_sg + slots_;
    control.yq = control.alpha + slots_;
    control.bundles = bundle_;
    control.fives = static_cast<std::int64_t>(fives_);
    control.singles = static_cast<std::int64_t>(bundles_ - fives_);
    control.rescale.streams[0] = search_.b;
    control.rescale.size = search_.size;
    upload(place_, control_, &control, sizeof control);
  }
  void release() noexcept {
    free(place_, partials_);
    free(place_, memory_);
  }

  void measure() const {
    apply(search_.rules.pair, control_->measure, &control_->measure_coef, control_->skip.measure,
          control_->pair_sums);
    for (std::size_t k = 0; k < bundles_; ++k) {
      gather(k < fives_ ? search_.rules.products : search_.rules.product, bundle_[k].products,
             &control_->scale_coef, bundle_[k].skip_products, bundle_[k].product_sums);
    }
  }
  void direct() const {
    const DeviceGuarded::Rules& rules = search_.rules;
    const std::uint32_t& skip = control_->skip.direction;
    const auto add = [&](std::size_t k) { return k < fives_ ? rules.adds : rules.add; };
    apply(rules.scaled, control_->scaled, &control_->scaled_coef, skip);
    for (std::size_t k = 0; k < bundles_; ++k) {
      apply(add(k), bundle_[k].add_y, &bundle_[k].y_weights, bundle_[k].skip_direction);
    }
    apply(rules.metric, control_->metric, &control_->metric_coef, skip);
    for (std::size_t k = 0; k < bundles_; ++k) {
      gather(k < fives_ ? rules.pair_dots : rules.pair_dot, bundle_[k].dots, nullptr,
             bundle_[k].skip_direction, bundle_[k].dot_sums);
    }
    queue_guarded_recall(control_, place_);
    for (std::size_t k = 0; k < bundles_; ++k) {
      apply(add(k), bundle_[k].add_s, &bundle_[k].s_weights, bundle_[k].skip_direction);
    }
    gather(rules.dot, control_->slope, nullptr, skip, control_->slope_sums);
  }

  Walk walk(const DeviceJob& job, const Coefs* coefs, const std::uint32_t& skip) const {
    Walk walk{};
    walk.table = &job;
    walk.jobs = 1;
    walk.chunks = chunks_;
    walk.coef = coefs;
    walk.refused = &skip;
    walk.partials = partials_;
    walk.packed = true;  // every array of a search is aligned; walks over the caller's g sum
    return walk;
  }
  void fold(const Sum* sums, std::size_t count, double* to, const std::uint32_t& skip) const {
    queue_fold(sums, count, partials_, scratch_, chunks_, to, &skip, place_);
  }
  void apply(std::size_t rule, const DeviceJob& job, const Coefs* coefs, const std::uint32_t& skip,
             double* to = nullptr) const {
    const Description& description = description_of(rule);
    queue_walk(row_of(rule, search_.dtype).apply, description.emitted_count, walk(job, coefs, skip),
               place_, description.name);
    if (to != nullptr) fold(description.emitted, description.emitted_count, to, skip);
  }
  void gather(std::size_t rule, const DeviceJob& job, const Coefs* coefs, const std::uint32_t& skip,
              double* to) const {
    const Description& description = description_of(rule);
    queue_walk(row_of(rule, search_.dtype).gather, description.gathered_count,
               walk(job, coefs, skip), place_, description.name);
    fold(description.gathered, description.gathered_count, to, skip);
  }

  DeviceGuarded search_;
  Place place_;
  std::size_t chunks_, slots_;
  std::size_t fives_, bundles_;  // so many of five pairs, and all
  unsigned char* memory_ = nullptr;
  GuardedControl* control_ = nullptr;
  Bundle* bundle_ = nullptr;
  search::Tables tables_{};
  double* partials_ = nullptr;
  double* scratch_ = nullptr;
  bool recorded_ = false;
};

}  // namespace

std::unique_ptr<GuardedJudgement> make_guarded_judgement(const DeviceGuarded& search,
                                                         const search::GuardingFacts& facts,
                                                         const Place& place) {
  return std::make_unique<JudgeGuarded>(search, facts, place);
}

}  // namespace mdbopt::cuda
