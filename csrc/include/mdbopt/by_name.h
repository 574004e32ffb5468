// by_name – a rule's streams, scalars and sums by their names: a kernel in one call, and what puts names
// into the order that the other headers take.
//
//   std::vector<double> a = …;
//   const mdbopt::Outcome norm = mdbopt::run("norm", {{"a", mdbopt::tensor_of(a)}});
//   norm["norm2"];   // Σ a²
//
// Contract. Names are those of the rule's description, in any order, each once; signature tells them. A
// scalar that is not named has the rule's default. A name that the rule does not have, one that is missing, and an
// array that does not fit are an Error that names it, before anything is written.
#pragma once

#include <mdbopt/launch.h>
#include <mdbopt/tensor.h>

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace mdbopt {

using Scalars = std::vector<std::pair<std::string, double>>;
using Streams = std::vector<std::pair<std::string, Tensor>>;

// What a kernel came to.
struct Outcome {
  bool applied;                        // false: the rule refused, and nothing is written
  std::map<std::string, double> sums;  // by name

  // Throws Error, listing the sums that there are, when there is none of this name.
  double operator[](const std::string& name) const;
};

// Runs a rule that is no update, which <mdbopt/optimizer.h> is for.
Outcome run(const std::string& rule, const Streams& streams, const Scalars& scalars = {},
            const Execution& execution = {});

// A rule in words: "norm: streams a; scalars scale = 1; sums norm2, max". Of an update, `state` are the
// streams behind x and g; t and grad_scale, which belong to a step, are left out.
std::string signature(std::size_t rule);

// In the order of the rule's description; all must be there but scalars that have a default.
std::vector<double> scalars_of(std::size_t rule, const Scalars& given);
std::vector<Tensor> streams_of(std::size_t rule, const Streams& given);

}  // namespace mdbopt
