// search – what all searches share: the start, the scale, the checks, and the bookkeeping around a
// judgement.
#include "search.h"

#include <mdbopt/error.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "../runtime/device.h"

namespace mdbopt::search {
namespace {

// Powers of two that keep both themselves and their reciprocals normal.
constexpr int kLargestExponent = 1000;
// Of a saved search: counts stay in their range however long it goes on.
constexpr std::int64_t kMostEvaluations = std::int64_t{1} << 62;
constexpr const char* kNoElement = "x: expected at least one element, got none";

void check_gradient(const Tensor& g, const Tensor& x) {
  if (g.size != x.size) {
    throw Error("g: expected " + std::to_string(x.size) + " elements (as x), got " +
                std::to_string(g.size));
  }
  if (g.dtype != x.dtype) {
    throw TypeError(std::string("g: expected dtype ") + info(x.dtype).name + " (as x), got " +
                    info(g.dtype).name + "; pass g in " + info(x.dtype).name +
                    ", or start from x in " + info(g.dtype).name);
  }
  if (!g.location.same_memory(x.location)) {
    throw Error("g: lives on " + memory_name(g.location.device) + ", expected " +
                memory_name(x.location.device) + " (as x)");
  }
}

// The lower bound (sign 1) or the upper one (−1) in float32, rounded inwards; the number nearest to the
// lower one where none lies between them.
float inwards(double lower, double upper, float sign) {
  constexpr float kInfinite = std::numeric_limits<float>::infinity();
  const float nearest = static_cast<float>(lower);
  float least = nearest;
  float most = static_cast<float>(upper);
  if (least < lower) least = std::nextafter(least, kInfinite);
  if (most > upper) most = std::nextafter(most, -kInfinite);
  if (least > most) return nearest;
  return sign > 0.0F ? least : most;
}

}  // namespace

void Search::allocate(std::size_t size, Dtype dtype) {
  if (!options_.groups.empty() && options_.groups.size() != size) {
    throw Error("groups: expected one label per coordinate, " + std::to_string(size) + ", got " +
                std::to_string(options_.groups.size()));
  }
  judging_.program = {};
  there_.reset();
  control_there_ = {};
  judgement_.limits = precision(dtype);
  if (reduction_ != nullptr) meet(size, dtype);
  runner_ = {size, dtype, execution_};
  x_ = runner_.zeros();
  g_ = runner_.zeros();
  trial_ = runner_.zeros();
  take_penalty();
  take_bounds();
  allocate_more();
  if (reduction_ != nullptr) reduction_->reserve(most_sums(), groups().count());
}

// The shards exchange what has to fit.
void Search::meet(std::size_t size, Dtype dtype) {
  const Options& o = options_;
  const Reduction::Fact facts[] = {{"method", o.method},
                                   {"x: dtype", info(dtype).name},
                                   {"proposer", o.proposer},
                                   {"gamma", o.gamma},
                                   {"initial_scale", o.initial_scale},
                                   {"forward", o.forward},
                                   {"cut", o.cocoercive ? "cocoercive" : "hypergradient"},
                                   {"refine", static_cast<double>(o.refine)},
                                   {"direction", o.gradient_direction ? "gradient" : "plain"},
                                   {"memory", static_cast<double>(o.memory)},
                                   {"groups", o.groups.empty() ? "none" : "given"},
                                   {"noise of f", o.noise_f},
                                   {"noise of g", o.noise_g},
                                   {"bounds", o.lower.empty() ? "none" : "given"},
                                   {"l1", o.l1.empty() ? "none" : "given"}};
  execution_->reduction = reduction_.get();
  reduction_->agree({&size, 1}, facts);
  if (reduction_->elements() == 0.0) throw Error(kNoElement);
}

bool Search::anywhere(bool here) const {
  if (reduction_ == nullptr) return here;
  double shards = here ? 1.0 : 0.0;
  reduction_->add({&shards, 1});
  return shards > 0.0;
}

// A penalty of zeros is none.
void Search::take_penalty() {
  const std::vector<double>& l1 = options_.l1;
  const auto penalises = [](double number) { return number != 0.0; };
  judgement_.penalised = !l1.empty() && anywhere(std::any_of(l1.begin(), l1.end(), penalises));
  if (!penalised()) return;
  if (l1.size() != 1 && l1.size() != runner_.size) {
    throw Error("l1: expected one number for each coordinate, " + std::to_string(runner_.size) +
                ", or one for all, got " + std::to_string(l1.size()));
  }
  Buffer here(runner_.size, runner_.dtype, nullptr);
  for (std::size_t i = 0; i < runner_.size; ++i) {
    const double number = l1[l1.size() == 1 ? 0 : i];
    if (runner_.dtype == Dtype::kFloat64) {
      static_cast<double*>(here.data())[i] = number;
      continue;
    }
    static_cast<float*>(here.data())[i] = static_cast<float>(number);
    if (std::isfinite(static_cast<float>(number))) continue;
    throw Error(
        "l1: expected numbers that float32 (as x) holds, below 3.4e38, got a larger one at index " +
        std::to_string(i));
  }
  l1_ = runner_.zeros();
  l1_.write(here.data());
}

// One bound for all is spread; bounds that are infinite throughout are none.
void Search::take_bounds() {
  const auto finite = [](const std::vector<double>& side) {
    return std::any_of(side.begin(), side.end(), [](double bound) { return std::isfinite(bound); });
  };
  judgement_.bounded =
      !options_.lower.empty() && anywhere(finite(options_.lower) || finite(options_.upper));
  if (penalised() && options_.lower.empty()) {
    constexpr double kInfinite = std::numeric_limits<double>::infinity();
    options_.lower = {-kInfinite};
    options_.upper = {kInfinite};
  }
  judgement_.bounded = judgement_.bounded || penalised();
  if (!bounded()) return;
  const auto placed = [&](const std::vector<double>& side, float sign) {
    const std::size_t count = side.size();
    if (count != 1 && count != runner_.size) {
      throw Error("bounds: expected one for each coordinate, " + std::to_string(runner_.size) +
                  ", or one for all, got " + std::to_string(count));
    }
    Buffer here(runner_.size, runner_.dtype, nullptr);
    for (std::size_t i = 0; i < runner_.size; ++i) {
      const std::size_t k = count == 1 ? 0 : i;
      if (runner_.dtype == Dtype::kFloat64)
        static_cast<double*>(here.data())[i] = side[k];
      else
        static_cast<float*>(here.data())[i] = inwards(options_.lower[k], options_.upper[k], sign);
    }
    Buffer there = runner_.zeros();
    there.write(here.data());
    return there;
  };
  lower_ = placed(options_.lower, 1.0F);
  upper_ = placed(options_.upper, -1.0F);
}

// The method, the bounds it works within and the penalty: FNV-1a of their bits.
std::string Search::method_within() const {
  if (!bounded()) return options_.method;
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::vector<double>* numbers : {&options_.lower, &options_.upper, &options_.l1}) {
    for (const double number : *numbers) {
      hash = (hash ^ __builtin_bit_cast(std::uint64_t, number)) * 0x100000001b3U;
    }
  }
  return options_.method + (penalised() ? " with l1 " : " within bounds ") + std::to_string(hash);
}

void Search::take_noise() {
  Numbers& n = judgement_.now;
  n.error_f = scaled(n, options_.noise_f);
  n.error_g = scaled(n, options_.noise_g);
}

void Search::norm(double scale, double* sums) const {
  static const std::size_t whole = find_rule("norm");
  static const std::size_t face = find_rule("face_norm");
  if (penalised()) {
    static const std::size_t orthant = find_rule("orthant");
    const Buffer pg = runner_.zeros();
    const Buffer least = runner_.zeros();
    const Buffer most = runner_.zeros();
    runner_.run(orthant,
                {x_.data(), g_.data(), l1_.data(), lower_.data(), upper_.data(), pg.data(),
                 least.data(), most.data()},
                {scale}, sums);
  } else if (bounded()) {
    runner_.run(face, {x_.data(), g_.data(), lower_.data(), upper_.data()}, {scale}, sums);
  } else {
    runner_.run(whole, {g_.data()}, {scale}, sums);
  }
}

template <class Body>
void Search::with_shards(Body body) {
  try {
    if (reduction_ != nullptr && reduction_->failed())
      throw ShardError("search: a shard has failed before, expected no further call");
    body();
  } catch (const std::exception& error) {
    fail(error.what());
    throw;
  }
}

void Search::fail(const char* words) noexcept {
  // The others have ended when this one has.
  const Numbers& n = judgement_.now;
  if (reduction_ != nullptr && (n.evaluations == 0 || !ended(n))) reduction_->fail(words);
}

void Search::prepare() {
  const bool first = judging_.program.control == nullptr;
  // It stays so where memory ends before the program is made.
  unlinked_ = outgrown() || unlinked_;
  if (!unlinked_) return;
  Judgement& j = judgement_;
  if (lies_on_device() && first) {
    if (spare_x_.size() == 0) spare_x_ = runner_.zeros();
    control_there_ = Memory(control_bytes_, runner_.where());
  }
  void* control = lies_on_device() ? control_there_.data() : &j;
  j.at = {x_.data(), spare_x_.data(), g_.data(), spare_g_.data(), trial_.data()};
  j.lower = lower_.data();
  j.upper = upper_.data();
  j.l1 = l1_.data();
  j.trial_stays = lies_on_device();
  judging_.program = {{}, runner_.dtype, groups().partition(), control};
  link(judging_.program, control);
  if (!lies_on_device()) {
    unlinked_ = false;
    return;
  }
  there_ = device_library().load(judging_.program, location());
  there_->write(control, &j, control_bytes_);
  send();
  unlinked_ = false;
}

// Where memory ended among its walks, some arrays are written and others are not. Shards have an error of their own.
void Search::check_whole() const {
  if (!half_done_ || reduction_ != nullptr) return;
  throw Error("state: memory ended within a judgement, which is half done; make a new search");
}

void Search::work(Told told) {
  for (;; told.cause = Cause::kAgain) {
    if (lies_on_device()) {
      stale_ = true;
      there_->run(told, {told.f}, location());
      fetch();
    } else {
      half_done_ = true;
      judging_.run(told, *execution_);
      half_done_ = false;
      adopt();
    }
    if (!judgement_.unfinished) return;
  }
}

void Search::fetch() {
  there_->read(&judgement_, control_there_.data(), numbers_bytes_);
  stale_ = there_->recorded();
  adopt();
}

// The arrays have changed places.
void Search::adopt() {
  const Vectors& at = judgement_.at;
  if (x_.data() != at.x) x_.swap(trial_.data() == at.x ? trial_ : spare_x_);
  if (trial_.data() != at.trial) trial_.swap(spare_x_);
  if (g_.data() != at.g) g_.swap(spare_g_);
}

// The caller's work may move to another stream: what is queued comes first there, all that is still
// to come goes there.
void Search::follow(const Location& location) {
  if (location.on_cpu() || location.stream == execution_->location.stream) return;
  // A graph that is recorded cannot wait for work outside of it, and its recorder has.
  if (!device_library().capturing(location)) device_library().order(execution_->location, location);
  execution_->location = location;
}

void Search::init(const Tensor& x, double f, const Tensor& g) { init(x, f, g, {}); }

void Search::init(const Tensor& x, double f, const Tensor& g, const Heritage& heritage) {
  with_shards([&] { begin(x, f, g, heritage); });
}

void Search::check_fits(const Heritage& heritage) const {
  Search& earlier = *heritage.earlier;
  const Buffer& x = earlier.x();
  const auto refuse = [](const std::string& what, const std::string& expected,
                         const std::string& got) {
    throw Error("warm_start: expected " + what + expected + ", got " + got);
  };
  if (earlier.options_.method != options_.method)
    refuse("a search of method ", options_.method, earlier.options_.method);
  if (earlier.now().evaluations == 0) refuse("a search that has started", "", "one that has not");
  if (x.size() != x_.size())
    refuse("a search over as many elements as x, ", std::to_string(x_.size()),
           std::to_string(x.size()));
  if (x.dtype() != x_.dtype())
    refuse("a search of x's dtype, ", info(x_.dtype()).name, info(x.dtype()).name);
  if (!x.location().same_memory(x_.location()))
    refuse("a search on ", memory_name(x_.location().device),
           "one on " + memory_name(x.location().device));
  if (earlier.groups().identity() != groups().identity())
    refuse("a search with the same groups", "", "others");
  for (const Ridge* ridge : {&heritage.before, &heritage.now}) {
    if (ridge->each == nullptr) continue;
    if (!groups().empty()) refuse("one l2 for all coordinates with groups", "", "an array");
    if (!ridge->each->location.same_memory(x_.location()))
      refuse("l2 on ", memory_name(x_.location().device),
             "an array on " + memory_name(ridge->each->location.device));
  }
}

void Search::begin(const Tensor& x, double f, const Tensor& g, const Heritage& heritage) {
  if (judgement_.now.evaluations != 0)
    throw Error("init: the search has started already; make a new one");
  if (x.size == 0 && reduction_ == nullptr) throw Error(kNoElement);
  check_gradient(g, x);
  if (reduction_ != nullptr && !x.location.on_cpu()) {
    throw Error("reducer: expected None for arrays on " + memory_name(x.location.device) +
                ", as shards meet on the CPU alone");
  }
  if (reduction_ != nullptr) reduction_->tell("f", f);
  // Made anew: arrays of an init that failed are freed where they are.
  execution_ = std::make_shared<Execution>(options_.execution);
  execution_->location = x.location;
  allocate(x.size, x.dtype);
  if (heritage.earlier != nullptr) check_fits(heritage);
  x_.write(x.data);
  follow(g.location);
  g_.write(g.data);
  static const std::size_t norm = find_rule("norm");
  double sums[kMaxSums];
  runner_.run(norm, {x_.data()}, {1.0}, sums);
  if (!std::isfinite(sums[1])) throw Error("x: expected finite numbers, got NaN or inf");
  runner_.run(norm, {g_.data()}, {1.0}, sums);
  Numbers& n = judgement_.now;
  n.evaluations = 1;
  n.f_told = n.f_start_told = f;
  n.gmax = sums[1];
  if (!std::isfinite(f) || !std::isfinite(n.gmax)) return end(n, Status::kNotFinite);
  const double steepest = n.gmax;
  if (bounded()) {
    Search::norm(1.0, sums);
    if (sums[2] != 0.0) throw Error("x: expected a point within the bounds, got one outside");
    n.gmax = sums[1];
    if (penalised()) n.f_told = n.f_start_told = f + sums[3];
  }
  n.trial_gmax = n.gmax;
  n.f = n.f_told;
  if (n.gmax == 0.0) return;
  n.exponent = std::clamp(std::ilogb(steepest), -kLargestExponent, kLargestExponent);
  n.scale = std::ldexp(1.0, static_cast<int>(-n.exponent));
  n.gmax *= n.scale;
  n.trial_gmax = n.gmax;
  n.gmax_start = n.gmax;
  n.f = n.least_f = n.least_accepted = scaled(n, n.f_told);
  take_noise();
  n.least_gmax = n.gmax;
  start();
  if (heritage.earlier != nullptr) inherit(heritage);
  prepare();
  work({Cause::kStart});
}

const Buffer& Search::propose() {
  if (judgement_.now.evaluations == 0)
    throw Error("propose: the search has no point yet; call init first");
  check_whole();
  if (ended(now())) {
    throw Error("propose: the search has ended (converged() is true)");
  }
  proposed_ = 1;
  return trial_;
}

const Buffer& Search::propose_async() {
  if (!on_device_) return propose();
  proposed_ = 1;
  return trial_;
}

void Search::check_fits(const Tensor& g) const { check_gradient(g, x_.tensor()); }

void Search::take(const Tensor& g) {
  follow(g.location);
  proposed_ = 0;
}

bool Search::judge(double f, const Tensor& g) {
  with_shards([&] {
    check_whole();
    if (proposed_ == 0) throw Error("judge: no point is proposed; call propose first");
    check_fits(g);
    catch_up();
    if (reduction_ != nullptr) reduction_->tell("f", f);
    prepare();
    take(g);
    work({Cause::kTold, f, g.data});
  });
  return judgement_.moved;
}

void Search::judge_async(const DeviceNumber& f, const Tensor& g) {
  if (x_.size() == 0) throw Error("judge: the search has no point yet; call init first");
  if (!lies_on_device()) throw Error("wait: expected True for arrays on the CPU, got False");
  check_fits(g);
  if (judging_.program.control == nullptr) prepare();
  take(g);
  on_device_ = stale_ = true;
  there_->run({Cause::kTold, 0.0, g.data}, f, location());
}

void Search::loaded() {
  if (ended(judgement_.now)) return;
  prepare();
  if (!ready()) work({Cause::kAgain});
}

void Search::active(std::int8_t* out) {
  catch_up();
  std::fill_n(out, x_.size(), std::int8_t{0});
  if (!bounded()) return;
  const auto compare = [&](auto element) {
    std::vector<decltype(element)> x(x_.size());
    std::vector<decltype(element)> lower(x_.size());
    std::vector<decltype(element)> upper(x_.size());
    x_.read(x.data());
    lower_.read(lower.data());
    upper_.read(upper.data());
    if (lies_on_device()) device_library().synchronize(location());
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (x[i] >= upper[i]) out[i] = 1;
      if (x[i] <= lower[i]) out[i] = -1;
    }
  };
  if (x_.dtype() == Dtype::kFloat64)
    compare(double{});
  else
    compare(float{});
}

void Search::fields(Fields& fields) {
  check_whole();
  catch_up();
  Numbers& n = judgement_.now;
  const bool noise = options_.noise_f > 0.0 || options_.noise_g > 0.0;
  fields.word("method", method_within() + (noise ? " with noise" : ""));
  fields.word("groups", groups().identity());
  fields.word("cut", options_.cocoercive ? "cocoercive" : "hypergradient");
  fields.same("forward", options_.forward);
  auto status = static_cast<std::int64_t>(n.status);
  fields.count("status", status, -1, noise ? 4 : 3);
  fields.agree("status", status != 0 && status != 1, noise ? "-1, 2, 3 or 4" : "-1, 2 or 3");
  n.status = static_cast<Status>(status);
  fields.count("evaluations", n.evaluations, 1, kMostEvaluations);
  const std::int64_t judged = n.evaluations - 1;
  fields.count("accepted", n.accepted, 0, judged);
  fields.count("ncut", n.ncut, 0, judged);
  fields.count("infinite_descents", n.infinite_descents, 0, judged);
  fields.count("proposed", proposed_, 0, 1);
  // A start where f or g is not finite is all that such a search keeps.
  const bool stillborn = n.status == Status::kNotFinite && judged == 0;
  const Range& finite = stillborn ? kAnything : kFinite;
  const Range& size = stillborn ? kAnything : kNotNegative;
  fields.count("exponent", n.exponent, -kLargestExponent, kLargestExponent);
  fields.number("scale", n.scale, kPositive);
  fields.agree("scale", n.scale == std::ldexp(1.0, static_cast<int>(-n.exponent)),
               "2 to the power of -exponent");
  fields.number("gmax_scaled", n.gmax, size);
  fields.number("gmax_start", n.gmax_start, kNotNegative);
  fields.number("f", n.f_told, finite);
  fields.number("f_start", n.f_start_told, finite);
  fields.number("f_scaled", n.f, kAnything);
  fields.number("moved", n.moved, of_trial(fields, kNotNegative));
  fields.number("longest_move", n.longest_move, kNotNegative);
  fields.number("trial_gmax_scaled", n.trial_gmax, {0.0, kInfinity, true});
  fields.number("least_f_scaled", n.least_f, finite);
  fields.number("least_gmax_scaled", n.least_gmax, kNotNegative);
  fields.number("noise_scaled", n.noise, kNotNegative);
  if (noise) {
    fields.same("noise_f", options_.noise_f);
    fields.same("noise_g", options_.noise_g);
    fields.number("least_accepted_scaled", n.least_accepted, finite);
    fields.number("fallen_scaled", n.fallen, kNotNegative);
    // Infinite where the noise is beyond all gradients: every slope is hidden then.
    fields.number("slope_errors_scaled", n.slope_errors, {0.0, kInfinity});
    take_noise();
  }
  fields.count("gains", n.gains, 0, judged);
  fields.count("quiet", n.quiet, 0, judged);
  fields.array("x", x_, kFinite);
  fields.array("g", g_, finite);
  const bool waits = fields.judged_async() && !is_finite(n.moved);
  fields.array("trial", trial_, waits ? kAnything : while_running(kFinite));
  if (!fields.loading() || stillborn) return;
  fields.agree("f_scaled", n.f == scaled(n, n.f_told), "f times scale");
  double sums[kMaxSums];
  norm(1.0, sums);
  fields.agree("gmax_scaled", n.gmax == scaled(n, sums[1]), "max|g| times scale");
  if (!bounded()) return;
  fields.agree("x", sums[2] == 0.0, "a point within the bounds");
  static const std::size_t face = find_rule("face_norm");
  runner_.run(face, {trial_.data(), g_.data(), lower_.data(), upper_.data()}, {1.0}, sums);
  fields.agree("trial", waits || sums[2] == 0.0, "a point within the bounds");
}

}  // namespace mdbopt::search
