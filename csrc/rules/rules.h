// rules – the one list of rules. A rule's place in it is its row in every backend's table.
#pragma once

#include "adadelta.h"
#include "adagrad.h"
#include "adam.h"
#include "adamax.h"
#include "adan.h"
#include "ademamix.h"
#include "carry.h"
#include "cautious_scaled.h"
#include "cut.h"
#include "descent.h"
#include "direction.h"
#include "distance.h"
#include "finish.h"
#include "ftrl.h"
#include "gradient_descent.h"
#include "laprop.h"
#include "learned_rate.h"
#include "learned_rates.h"
#include "magnitude_aware.h"
#include "mars.h"
#include "nadam.h"
#include "novograd.h"
#include "pair.h"
#include "penalty.h"
#include "prodigy.h"
#include "rmsprop.h"
#include "rprop.h"
#include "schedule_free.h"
#include "secant.h"
#include "second_moment.h"
#include "sign.h"
#include "stable_adam.h"
#include "trial.h"
#include "trust.h"
#include "vector.h"
#include "within.h"

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
    LearnFrom, LearnFromPoints, Decrease, Scaled, Add<AddPair>, Add<AddPairs>, Dots<PairDot>,
    Dots<PairDots>, Coast, ApplyMetric, KeepMetric, MomentumStep, NesterovStep, CgProducts, Along,
    Hypergradient, Square, Norm, Rescale, Fill, Dot, Sgd, SgdMomentum, HeavyBall, NormalizedGd,
    NormalizedGdMomentum, SignDescent, SignDescentMomentum, Signum, Lion, Adam, AmsGrad, NAdam,
    AdaGrad, AdaGradNorm, RmsProp<Plain>, RmsProp<Centered>, RmsProp<WithMomentum>,
    RmsProp<CenteredWithMomentum>, Rprop, HypergradientSgd, HypergradientAdam, AdditiveRates,
    LogRates, WeightRates, Osgm, PairSums, BarzilaiBorwein, OsgmLearn, OsgmLearnInMetric, CarryPair,
    CarryBox, CarrySet, NormalizedGdArray, NormalizedGdArrayMomentum, Agc, Lamb, Lars, StableAdam,
    MarsAdam, MarsLion, Clip<LinearClip>, Clip<UniformClip>, AlongClip, WithinDecrease, Face,
    FaceNorm, FaceMetric, FaceMask, Restrict, PairTable, StepSecant, AdamSecondMoment, Adamax,
    Adadelta, LaProp, Adan, AdEMAMix, ScheduleFreeSgd, ScheduleFreeAdam, Proximal<LinearProximal>,
    Proximal<UniformProximal>, Orthant, Composite, SignDescentL1, SignDescentL1Momentum,
    CautiousAdam, CautiousLion, CautiousAdamScaled, CautiousLionScaled, MagnitudeAwareAdam, Ftrl,
    DistanceOverGradients, Prodigy, NovoGrad, Finish>;

}  // namespace mdbopt::MDBOPT_ISA
