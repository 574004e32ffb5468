// judge – the sequence of a judgement. Every walk does nothing where its flag says so.
//
//   begin  secant fold  choose  [rescale]  [norm, cut pair, fold, step]  accept, cut  fold  arrive
//   [norm fold step]  trial fold  settle
//
// In brackets what only some shapes have. The trial at the end is for points that neither an accepted
// nor a cut candidate proposes: f or g is not finite, or a pair gives no cut.
#include "judge.h"

#include <string>

#include "device.h"
#include "judge_control.h"
#include "memory.h"
#include "queue.h"
#include "table.h"

namespace mdbopt::cuda {
namespace {

class Judge final : public Judgement {
 public:
  Judge(const DeviceSearch& search, const search::JudgingFacts& facts, const Place& place)
      : search_(search), place_(place), chunks_((search.size + kChunk - 1) / kChunk) {
    constexpr std::size_t kMost = 4;  // sums of a walk
    const OnDevice scope(place.device);
    control_ = static_cast<Control*>(allocate(place, sizeof(Control)));
    try {
      partials_ = static_cast<double*>(
          allocate(place, (chunks_ * kMost + fold_scratch(chunks_, kMost)) * sizeof(double)));
      scratch_ = partials_ + chunks_ * kMost;
      Control control{};
      control.facts = facts;
      control.arrays = search;
      upload(place, control_, &control, sizeof control);
    } catch (...) {
      release();
      throw;
    }
  }
  ~Judge() override { release(); }
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  void queue(const DeviceNumber& f, void* g, const Place& place) override {
    const OnDevice scope(place.device);
    place_ = place;
    recorded_ = recorded_ || is_capturing(place);
    const Skip& skip = control_->skip;
    queue_begin(control_, f, g, place);
    gather(search_.secant, control_->secant, control_->secant_coef, control_->secant_sums,
           skip.secant);
    queue_choose(control_, place);
    if (search_.set != nullptr) rescale();
    const Description& trial = description_of(search_.trial);
    if (search_.norm != DeviceSearch::kNone) {
      const Description& norm = description_of(search_.norm);
      norm_of(control_->norm_there, skip.accept);
      apply(search_.cut, control_->cut, control_->cut_coef, skip.cut);
      fold(norm.gathered, norm.gathered_count, control_->norm_sums, skip.once);
      queue_step(control_, false, place);
      apply(search_.trial, control_->trial, control_->propose_coef, skip.cut);
    } else if (search_.set != nullptr) {
      apply(search_.cut, control_->cut, control_->cut_coef, skip.cut);
    }
    apply(search_.accept, control_->advance, control_->propose_coef, skip.accept);
    fold(trial.emitted, trial.emitted_count, control_->proposal_sums, skip.once);
    queue_arrive(control_, place);
    if (search_.norm != DeviceSearch::kNone) {
      const Description& norm = description_of(search_.norm);
      norm_of(control_->norm_here, skip.again);
      fold(norm.gathered, norm.gathered_count, control_->norm_sums, skip.again);
      queue_step(control_, true, place);
    }
    apply(search_.trial, control_->trial, control_->propose_coef, skip.again);
    fold(trial.emitted, trial.emitted_count, control_->proposal_sums, skip.again);
    queue_settle(control_, place);
  }

  bool recorded() const override { return recorded_; }

  void read(search::Judging& judging) override {
    const OnDevice scope(place_.device);
    catch_up(place_, recorded_);
    check(cudaMemcpyAsync(&judging, &control_->judging, sizeof judging, cudaMemcpyDeviceToHost,
                          stream_of(place_)),
          place_.device, "reading a search's numbers");
    check(cudaStreamSynchronize(stream_of(place_)), place_.device, "in work queued before");
  }

  void write(const search::Judging& judging) override {
    upload(place_, &control_->judging, &judging, sizeof judging);
  }

 private:
  void release() noexcept {
    free(place_, partials_);
    free(place_, control_);
  }

  Walk walk(const DeviceJob& job, const void* coef, const std::uint32_t& skip) const {
    Walk walk{};
    walk.table = &job;
    walk.jobs = 1;
    walk.chunks = chunks_;
    walk.coef = coef;
    walk.refused = &skip;
    walk.partials = partials_;
    return walk;
  }
  void fold(const Sum* sums, std::size_t count, double* to, const std::uint32_t& skip) const {
    queue_fold(sums, count, partials_, scratch_, chunks_, to, &skip, place_);
  }
  void apply(std::size_t rule, const DeviceJob& job, const void* coef,
             const std::uint32_t& skip) const {
    const Description& description = description_of(rule);
    queue_walk(row_of(rule, search_.dtype).apply, description.emitted_count, walk(job, coef, skip),
               place_, description.name);
  }
  void gather(std::size_t rule, const DeviceJob& job, const void* coef, double* to,
              const std::uint32_t& skip) const {
    const Description& description = description_of(rule);
    queue_walk(row_of(rule, search_.dtype).gather, description.gathered_count,
               walk(job, coef, skip), place_, description.name);
    if (to != nullptr) fold(description.gathered, description.gathered_count, to, skip);
  }
  void norm_of(const DeviceJob& job, const std::uint32_t& skip) const {
    gather(search_.norm, job, control_->norm_coef, nullptr, skip);
  }
  void rescale() const {
    const Description& description = description_of(search_.rescale);
    const Row& row = row_of(search_.rescale, search_.dtype);
    Walk walk{};
    walk.few[0].streams[0] = search_.set;
    walk.few[0].size = search_.size;
    walk.jobs = 1;
    walk.packed = true;  // every array of a search is aligned
    walk.chunks = chunks_;
    walk.refused = &control_->skip.rescale;
    row.prepare(search::kFolding, 0.0, walk.host_coef);
    queue_walk(row.apply, 0, walk, place_, description.name);
  }

  DeviceSearch search_;
  Place place_;
  std::size_t chunks_;
  Control* control_ = nullptr;
  double* partials_ = nullptr;
  double* scratch_ = nullptr;
  bool recorded_ = false;
};

}  // namespace

std::unique_ptr<Judgement> make_judgement(const DeviceSearch& search,
                                          const search::JudgingFacts& facts, const Place& place) {
  return std::make_unique<Judge>(search, facts, place);
}

}  // namespace mdbopt::cuda
