// searches – what tests of the searches share: a problem, every method, and whole states by name.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>

#include "check.h"
#include "runtime/device.h"
#include "search/search.h"

using mdbopt::device_library;
using mdbopt::Dtype;
using mdbopt::Location;
using mdbopt::Tensor;
using mdbopt::search::Buffer;
using mdbopt::search::Fields;
using mdbopt::search::make;
using mdbopt::search::Options;
using mdbopt::search::Range;
using mdbopt::search::Search;
using mdbopt::search::Where;

// f = ½ Σ h (x − 1)², h from 1 to 100 in a fixed order.
template <class T>
struct Quadratic {
  static constexpr Dtype kDtype = sizeof(T) == 8 ? Dtype::kFloat64 : Dtype::kFloat32;
  std::vector<T> x, g;
  double f = 0.0;

  explicit Quadratic(std::size_t n) : x(n), g(n) { evaluate(std::vector<T>(n, T{0}).data()); }
  static double curvature(std::size_t i) {
    return std::pow(100.0, static_cast<double>(i * 7 % 11) / 10.0);
  }
  void evaluate(const T* at) {
    f = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = at[i];
      const double away = static_cast<double>(at[i]) - 1.0;
      f += 0.5 * curvature(i) * away * away;
      g[i] = static_cast<T>(curvature(i) * away);
    }
  }
  Tensor point() { return {x.data(), x.size(), kDtype, true}; }
  Tensor gradient() { return {g.data(), g.size(), kDtype, true}; }
  void begin(Search& search) { search.init(point(), f, gradient()); }
  void step(Search& search) {
    evaluate(static_cast<const T*>(search.propose().data()));
    search.judge(f, gradient());
  }

  // The same for a search on a device; evaluated here.
  Buffer there(const std::vector<T>& values, const Where& where) const {
    Buffer buffer(values.size(), kDtype, where);
    buffer.write(values.data());
    return buffer;
  }
  void begin(Search& search, const Where& where) {
    search.init(there(x, where).tensor(), f, there(g, where).tensor());
  }
  void step(Search& search, const Where& where) {
    std::vector<T> at(x.size());
    search.propose().read(at.data());
    device_library().synchronize(search.location());
    evaluate(at.data());
    search.judge(f, there(g, where).tensor());
  }
};

struct Case {
  const char* name;
  std::function<void(Options&)> set;
};

// Some of which the minimiser lies outside of, one that fixes its coordinate where a search begins.
inline void within(Options& o) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  o.lower = {-1.0, -kNone, -1.0, 0.0, -kNone, -1.0, -1.0, -kNone, 0.0, -1.0, -kNone, 0.0};
  o.upper = {0.6, 2.0, kNone, 0.0, 0.9, 0.3, 2.0, kNone, 0.1, 0.7, 0.2, kNone};
}

// Of which some take their coordinate to 0, and some are none.
inline void penalised(Options& o) {
  o.l1 = {0.2, 5.0, 0.0, 1.5, 90.0, 20.0, 0.0, 1.0, 200.0, 0.5, 3.0, 0.0};
}

inline double l1_of(const Options& o, std::size_t i) { return o.l1.empty() ? 0.0 : o.l1[i]; }

// A coordinate of the minimiser of the problem above.
inline double minimiser(const Options& o, std::size_t i) {
  const double x = std::max(1.0 - l1_of(o, i) / Quadratic<double>::curvature(i), 0.0);
  return o.lower.empty() ? x : std::min(std::max(x, o.lower[i]), o.upper[i]);
}

// Every method, and every option that takes another way through the code.
inline const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"guarded", [](Options&) {}},
      {"guarded, heavy-ball", [](Options& o) { o.proposer = "heavy-ball"; }},
      {"guarded, nesterov", [](Options& o) { o.proposer = "nesterov"; }},
      {"guarded, cg", [](Options& o) { o.proposer = "cg"; }},
      {"guarded, groups", [](Options& o) { o.groups = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5}; }},
      {"guarded, hypergradient", [](Options& o) { o.cocoercive = false; }},
      {"guarded, bounds", within},
      {"guarded, noise", [](Options& o) { o.noise_f = o.noise_g = 1e-3; }},
      {"guarded, groups and bounds",
       [](Options& o) {
         within(o);
         o.groups = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5};
       }},
      {"guarded, l1", penalised},
      {"guarded, groups, bounds and l1",
       [](Options& o) {
         within(o);
         penalised(o);
         o.groups = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5};
       }},
      {"box", [](Options& o) { o.method = "box"; }},
      {"box, bounds and l1",
       [](Options& o) {
         within(o);
         penalised(o);
         o.method = "box";
       }},
      {"box, bounds",
       [](Options& o) {
         within(o);
         o.method = "box";
       }},
      {"box, groups",
       [](Options& o) {
         o.method = "box";
         o.groups = {9, 9, 8, 8, 7, 7, 6, 6, 5, 5, 4, 4};
       }},
      {"ellipsoid", [](Options& o) { o.method = "ellipsoid"; }},
      {"ellipsoid, plain",
       [](Options& o) {
         o.method = "ellipsoid";
         o.gradient_direction = false;
       }},
      {"ellipsoid, refined",
       [](Options& o) {
         o.method = "ellipsoid";
         o.refine = 2;
       }},
      {"ellipsoid, bounds",
       [](Options& o) {
         within(o);
         o.method = "ellipsoid";
         o.gradient_direction = false;
       }},
      {"ellipsoid, l1",
       [](Options& o) {
         penalised(o);
         o.method = "ellipsoid";
         o.gradient_direction = false;
       }},
      {"simplex", [](Options& o) { o.method = "simplex"; }},
      {"simplex, groups and bounds",
       [](Options& o) {
         within(o);
         o.method = "simplex";
         o.groups = {9, 9, 8, 8, 7, 7, 6, 6, 5, 5, 4, 4};
       }},
      {"simplex, groups and l1",
       [](Options& o) {
         penalised(o);
         o.method = "simplex";
         o.groups = {9, 9, 8, 8, 7, 7, 6, 6, 5, 5, 4, 4};
       }},
      {"backtracking", [](Options& o) { o.method = "backtracking"; }},
      {"backtracking, l1",
       [](Options& o) {
         penalised(o);
         o.method = "backtracking";
       }},
      {"backtracking, bounds",
       [](Options& o) {
         within(o);
         o.method = "backtracking";
       }},
  };
  return all;
}

inline Options options_of(const Case& one) {
  Options options;
  one.set(options);
  return options;
}

inline constexpr std::size_t kSize = 12;

inline void fail(const Case& one, const std::string& what) {
  check::fail(__FILE__, __LINE__) << one.name << ": " << what << '\n';
}

using Bytes = std::vector<unsigned char>;

inline Bytes bytes_of(const Buffer& buffer) {
  Bytes bytes(buffer.bytes());
  buffer.read(bytes.data());
  if (!buffer.location().on_cpu()) device_library().synchronize(buffer.location());
  return bytes;
}

// Holds a whole state by name.
struct State final : Fields {
  std::map<std::string, std::string> words;
  std::map<std::string, double> numbers;
  std::map<std::string, std::int64_t> counts;
  std::map<std::string, Bytes> arrays;
  bool load = false;

  bool loading() const override { return load; }
  bool judged_async() const override { return true; }
  void agree(const std::string& name, bool holds, const char* expected) override {
    if (!holds) check::fail(__FILE__, __LINE__) << name << ": expected " << expected << '\n';
  }
  void word(const std::string& name, const std::string& value) override {
    std::string found = value;
    visit(words, name, found);
    CHECK(found == value);
  }
  void number(const std::string& name, double& value, const Range& range) override {
    visit(numbers, name, value);
    if (!range.holds(value)) outside(name, value);
  }
  void count(const std::string& name, std::int64_t& value, std::int64_t least,
             std::int64_t most) override {
    visit(counts, name, value);
    if (value < least || value > most) outside(name, static_cast<double>(value));
  }
  void array(const std::string& name, Buffer& value, const Range&) override {
    if (load) {
      CHECK_EQUAL(arrays.at(name).size(), value.bytes());
      value.write(arrays.at(name).data());
    } else {
      CHECK(arrays.emplace(name, bytes_of(value)).second);  // no two fields share a name
    }
  }

 private:
  static void outside(const std::string& name, double value) {
    check::fail(__FILE__, __LINE__) << name << " is out of its range: " << value << '\n';
  }
  template <class Value>
  void visit(std::map<std::string, Value>& all, const std::string& name, Value& value) {
    if (load)
      value = all.at(name);
    else
      CHECK(all.emplace(name, value).second);  // no two fields share a name
  }
};

inline bool same(Search& a, Search& b) {
  return bytes_of(a.x()) == bytes_of(b.x()) && bytes_of(a.g()) == bytes_of(b.g()) &&
         check::same_bits(a.f(), b.f()) && check::same_bits(a.gmax(), b.gmax()) &&
         a.ncut() == b.ncut() && a.accepted() == b.accepted() &&
         a.evaluations() == b.evaluations() && a.status() == b.status();
}

inline std::vector<double> step_sizes(Search& search) {
  Buffer out = search.zeros(Dtype::kFloat64);
  search.step_sizes(out.doubles());
  const Bytes bytes = bytes_of(out);
  std::vector<double> values(out.size());
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}
