// decisions – the one list of decisions. A decision's place in it is its number on a device.
#pragma once

#include <cstddef>

#include "guarded_program.h"
#include "sets_program.h"

namespace mdbopt::search {

template <class... Decision>
struct DecisionList {
  static constexpr std::size_t count = sizeof...(Decision);
};

using Decisions =
    DecisionList<sets::Begin, sets::Choose, sets::BeginRefining, sets::Refine, sets::EndRefining,
                 sets::SolveCut, sets::TakeCutNorm, sets::TakeNormThere, sets::TakeNormHere,
                 sets::Arrive, sets::Finish, guarded::Begin, guarded::Learn, guarded::Decide,
                 guarded::Choose, guarded::Direct, guarded::Arrive, guarded::Finish>;

template <class Decision, class... All>
constexpr std::size_t index_of(DecisionList<All...>) {
  std::size_t index = 0;
  bool found = false;
  ((found = found || __is_same(All, Decision), index += found ? 0 : 1), ...);
  return index;
}

}  // namespace mdbopt::search
