// rules – the one list of rules. A rule's place in it is its row in every backend's table.
#pragma once

#include "rules/adagrad.h"
#include "rules/adam.h"
#include "rules/cut.h"
#include "rules/direction.h"
#include "rules/gradient_descent.h"
#include "rules/learned_rate.h"
#include "rules/learned_rates.h"
#include "rules/nadam.h"
#include "rules/pair.h"
#include "rules/rmsprop.h"
#include "rules/rprop.h"
#include "rules/secant.h"
#include "rules/sign.h"
#include "rules/trial.h"
#include "rules/vector.h"

namespace mdbopt::MDBOPT_ISA {

template <class... Rule>
struct RuleList {
  static constexpr std::size_t count = sizeof...(Rule);
};

using Rules = RuleList<
    Trial<LinearCandidate>, Accept<LinearCandidate>, Trial<GradientDirectionCandidate>,
    Accept<GradientDirectionCandidate>, Trial<UniformCandidate>, Accept<UniformCandidate>,
    Advance<LinearCandidate>, Advance<GradientDirectionCandidate>, Advance<UniformCandidate>,
    Secant<BoxSecant>, Secant<PlainEllipsoidSecant>, Secant<EllipsoidSecant>,
    Secant<GradientSecant>, Cut<Box>, Cut<Simplex>, Cut<Ellipsoid>, EllipsoidCut, EllipsoidShrink,
    EllipsoidCutPair, EllipsoidNorm, EllipsoidCandidate, CutTrial<Box>, CutTrial<Simplex>,
    CutTrial<Ellipsoid>, Pair, Products<PairProduct>, Products<PairProducts>, PairNormal, Learn,
    LearnFrom, Decrease, Scaled, Add<AddPair>, Add<AddPairs>, Dots<PairDot>, Dots<PairDots>, Coast,
    ApplyMetric, KeepMetric, MomentumStep, NesterovStep, CgProducts, Along, Hypergradient, Square,
    Norm, Rescale, Fill, Dot, Sgd, SgdMomentum, HeavyBall, NormalizedGd, NormalizedGdMomentum,
    SignDescent, SignDescentMomentum, Signum, Lion, Adam, AmsGrad, NAdam, AdaGrad, AdaGradNorm,
    RmsProp<Plain>, RmsProp<Centered>, RmsProp<WithMomentum>, RmsProp<CenteredWithMomentum>, Rprop,
    HypergradientSgd, HypergradientAdam, AdditiveRates, LogRates, WeightRates, Osgm>;

}  // namespace mdbopt::MDBOPT_ISA
