"""What is said of public kernels beside what the core describes: meanings, sources, examples.

A kernel is public when it is a first-order update or has a description here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Description:
    """What is said of one kernel.

    Parameters
    ----------
    about : str
        What it computes, beside the core's sentence.
    example : str
        A doctest, in which ``np`` and ``kernels`` are known.
    source : str
        Where it was published.
    words : dict of str to str
        What streams, scalars and sums mean where that is not what `WORDS` says.
    """

    about: str
    example: str
    source: str = ""
    words: Mapping[str, str] = field(default_factory=dict)


# Streams, scalars and sums that have one meaning in all kernels of searches.
WORDS = {
    "a": "Numbers.",
    "axes": "The ellipsoid {q >= 0 : Σ (q/axes)² <= 1}, by its semi-axes.",
    "b": "The set, by the largest step size of each coordinate.",
    "cocoercive": "Where it is not 0, u = (g - g_trial)², else u = max(0, ½g² - g∘g_trial).",
    "cut": "Factor of u: the half-space is ⟨cut·u, q⟩ <= 1. It carries 1/ν.",
    "decrease": "Σ p g²; a valid p lowers f by half of it at least.",
    "depth": "The most that cut·u times the set counts for, so that one cut has a limit.",
    "g": "The gradient at x.",
    "g_trial": "The gradient at the rejected trial point.",
    "gmax": "max|g| as it was read; NaN or inf when an element is not finite.",
    "moved": "max|x_trial - x| as stored; NaN or inf when an element is not finite.",
    "scale": "Factor by which gradients are read: a power of two that keeps squares in range.",
    "step": "Factor of the candidate; see above.",
    "u": "Normal of the half-space, not negative; see `hypergradient`.",
    "weight": "λ of the formula, from 0 to below 1.",
    "x": "The current point.",
    "x_trial": "The next trial point.",
}

# The same for the updates, each of which has its formula in its first sentence.
UPDATE_WORDS = {
    "additive": "1: v ← v - (1 - β₂)·sign(v - g²)·g², as Yogi has it.",
    "belief": "1: (g - m)² takes the place of g², and eps_root is added to v, as AdaBelief has it.",
    "bias_correction": "1: m̂ = m/(1 - β₁ᵗ) and v̂ = v/(1 - β₂ᵗ); 0: they are m and v.",
    "beta": "Added to the root.",
    "c2": "‖c‖² before it is bounded.",
    "cautious": "1: d is 0 where d·g ≤ 0.",
    "cautious_weight_decay": "1: x does not decay where d·x < 0.",
    "clipping": "The largest ‖g‖/‖x‖.",
    "d": "The estimate of the distance to a solution; d0 at first.",
    "d0": "The first d, which s and numerator are relative to.",
    "d2": "‖d‖².",
    "d_coef": "Factor of the estimate.",
    "d_max": "The largest estimate so far; d0 at first.",
    "delayed": "1: the v before this step divides, within a bound, as ADOPT has it.",
    "eps": "Added outside the root.",
    "eps_root": "Added inside the root.",
    "factor": "What g, c or lr was multiplied by, 1 at most.",
    "farthest": "The largest distance from x0 so far; 0 at first.",
    "first2": "‖x0‖².",
    "g": "The gradient.",
    "g2": "‖g‖².",
    "gamma": "Weight of the correction.",
    "gd": "⟨g, d⟩ with the last direction d.",
    "grad_scale": "Factor of the gradient, before all else; negative to maximise.",
    "growth": "What d was multiplied by where it was kept, n/(Σφ + 1).",
    "growth_rate": "The most that d grows by in a step.",
    "initial": "The least distance, over 1 + ‖x0‖.",
    "kept": "Σφ.",
    "l1": "Weight of ‖x‖₁.",
    "l2": "Times x, added to the gradient.",
    "moved2": "‖x − x0‖².",
    "norm1": "‖g‖₁.",
    "norm2": "‖g‖².",
    "numerator": "What the estimate has above ‖s‖₁; 0 at first.",
    "progress": "Σ lr·g·(x0 − x).",
    "pull": "What of z the penalties kept from moving x; 0 at first.",
    "rate": "What g + weight_decay·x was multiplied by, beside lr.",
    "ratio2": "Σ g²/max(v̂, eps²).",
    "rectified": "1: d is multiplied by a factor of t, and is m̂ where that is not real: RAdam.",
    "root_scale": "Factor of g in v, a power of two.",
    "s1": "‖s‖₁.",
    "safeguard_warmup": "1: s takes in g times 1, not lr·c.",
    "t": "The number of this step, from 1 on.",
    "toward": "Not 0: x moves by this share of the way to z, and nothing else changes.",
    "total": "Σ p before it is divided by its mean.",
    "trust": "‖x‖/‖d‖, or 1 where one of them is 0.",
    "trust_coefficient": "Factor of the rate.",
    "warmup": "Steps in which what the formula says grows.",
    "weighted": "1: squared gradients count by farthest², as DoWG has it.",
    "weight_sum": "The sum of the weights of all steps.",
    "weight_decay": "Decoupled decay: x is multiplied by 1 - lr·weight_decay first.",
    "x": "The parameters.",
    "x0": "The first parameters.",
    "x2": "‖x‖².",
}

_PAPER = "Kunstner, Portella, Schmidt, Harvey, NeurIPS 2023, arXiv 2306.02527"

_TRIAL = """>>> x, g, x_trial = np.zeros(2), np.array([1.0, 2.0]), np.empty(2)
"""
_CUT = """>>> u = np.array([0.0, 4.0])
"""
_PAIR = """>>> x, g, g_trial = np.zeros(2), np.array([1.0, 2.0]), np.array([1.0, -2.0])
>>> x_trial = np.empty(2)
"""

DESCRIPTIONS = {
    "box_trial": Description(
        "The candidate is b: p = step·b, with step = γ for the box and the simplex.",
        _TRIAL
        + """>>> kernels.box_trial(x, g, np.array([1.0, 0.5]), x_trial, step=0.5)
box_trial(decrease=1.5, gmax=2.0, moved=0.5, applied=True)
>>> x_trial
array([-0.5, -0.5])""",
        f"{_PAPER}, section 4.",
    ),
    "ellipsoid_trial": Description(
        "The candidate is axes²∘g²: with step = γ/√norm2, norm2 from `ellipsoid_norm`, p is γ "
        "times the point of the ellipsoid at which ⟨g², p⟩ is largest.",
        _TRIAL
        + """>>> kernels.ellipsoid_trial(x, g, np.array([1.0, 0.5]), x_trial, step=0.25)
ellipsoid_trial(decrease=1.25, gmax=2.0, moved=0.5, applied=True)
>>> x_trial
array([-0.25, -0.5 ])""",
        f"{_PAPER}, section 5.",
    ),
    "gradient_trial": Description(
        "The candidate is 1: one step size for all coordinates, p = step.",
        _TRIAL
        + """>>> kernels.gradient_trial(x, g, x_trial, step=0.5)
gradient_trial(decrease=2.5, gmax=2.0, moved=1.0, applied=True)
>>> x_trial
array([-0.5, -1. ])""",
    ),
    "ellipsoid_norm": Description(
        "The norm ‖axes∘g²‖² by which the candidate of an ellipsoid is divided; see "
        "`ellipsoid_trial`.",
        """>>> kernels.ellipsoid_norm(np.array([1.0, 2.0]), np.array([1.0, 0.5]))
ellipsoid_norm(norm2=5.0, applied=True)""",
        f"{_PAPER}, section 5.",
        {"norm2": "The sum."},
    ),
    "box_cut": Description(
        "b is divided by no more than depth, and stays from 1e-290 to 1e290.",
        _CUT
        + """>>> b = np.ones(2)
>>> kernels.box_cut(u, b)
box_cut(applied=True)
>>> b
array([1.  , 0.25])""",
        f"{_PAPER}, theorem 4.2.",
    ),
    "simplex_cut": Description(
        "The simplex is {q >= 0 : Σ q/b <= d}; b stays from 1e-290 to 1e290.",
        _CUT
        + """>>> b = np.ones(2)
>>> kernels.simplex_cut(u, b, cut=2.0, weight=0.5)
simplex_cut(applied=True)
>>> b
array([2.        , 0.22222222])""",
        "The authors' published code of arXiv 2306.02527; the paper does not treat it.",
        {"cut": "Factor of u: the half-space is ⟨cut·u/d, q⟩ <= 1. It carries d/ν."},
    ),
    "ellipsoid_cut": Description(
        "With ℓ = Σ (cut·u·axes)² and λ = (ℓ/d)(d - 1)/(ℓ - 1), axes is divided by "
        "√(λ + (1 - λ)(cut·u·axes)²), and stays from 1e-290 to 1e290. Where ℓ <= 1 or λ >= 1 no "
        "ellipsoid of this form is smaller: nothing is written, and applied is False.",
        _CUT
        + """>>> axes = np.array([1.0, 0.5])
>>> kernels.ellipsoid_cut(u, axes)
ellipsoid_cut(spread=4.0, applied=True)
>>> axes
array([1.22474487, 0.35355339])
>>> kernels.ellipsoid_cut(u, np.array([1.0, 0.5]), cut=0.5)
ellipsoid_cut(spread=4.0, applied=False)""",
        f"{_PAPER}, theorem 5.3.",
        {"spread": "Σ (u·axes)² before the cut, without the factor."},
    ),
    "ellipsoid_cut_at": Description(
        "As `ellipsoid_cut` with a λ of the caller's; `ellipsoid_shrink` helps to find a better "
        "one.",
        _CUT
        + """>>> axes = np.array([1.0, 0.5])
>>> kernels.ellipsoid_cut_at(u, axes, weight=0.64)
ellipsoid_cut_at(applied=True)
>>> axes
array([1.25      , 0.34668762])""",
        f"{_PAPER}, appendix D.",
    ),
    "ellipsoid_shrink": Description(
        "With w = (cut·u·axes)², the cut at weight λ multiplies the squared volume by exp(-φ(λ)), "
        "φ(λ) = Σ log(λ + (1 - λ)w). φ is concave, so that Newton's method finds the λ of the "
        "smallest ellipsoid: λ ← λ + slope/curvature.",
        _CUT
        + """>>> kernels.ellipsoid_shrink(u, np.array([1.0, 0.5]), weight=1.0)
ellipsoid_shrink(slope=-2.0, curvature=10.0, spread=4.0, applied=True)""",
        f"{_PAPER}, appendix D.",
        {
            "slope": "φ'(λ) = Σ (1 - w)/(λ + (1 - λ)w).",
            "curvature": "-φ''(λ), the sum of the same terms squared.",
            "spread": "ℓ = Σ w.",
        },
    ),
    "box_cut_trial": Description(
        "What `hypergradient`, `box_cut` and `box_trial` do one after the other, in one walk.",
        _PAIR
        + """>>> b = np.ones(2)
>>> kernels.box_cut_trial(x, g, g_trial, b, x_trial, cut=0.25, step=0.5)
box_cut_trial(decrease=1.0, gmax=2.0, moved=0.5, applied=True)
>>> b, x_trial
(array([1.  , 0.25]), array([-0.5 , -0.25]))""",
        f"{_PAPER}, section 4.",
    ),
    "simplex_cut_trial": Description(
        "What `hypergradient`, `simplex_cut` and `box_trial` do one after the other, in one walk.",
        _PAIR
        + """>>> b = np.ones(2)
>>> kernels.simplex_cut_trial(x, g, g_trial, b, x_trial, cut=0.5, step=0.5, weight=0.5)
simplex_cut_trial(decrease=1.4444444444444444, gmax=2.0, moved=1.0, applied=True)
>>> b
array([2.        , 0.22222222])""",
        "The authors' published code of arXiv 2306.02527; the paper does not treat it.",
        {"cut": "Factor of u: the half-space is ⟨cut·u/d, q⟩ <= 1. It carries d/ν."},
    ),
    "ellipsoid_cut_trial": Description(
        "What `hypergradient` and `ellipsoid_cut_at` do one after the other, and then x_trial = "
        "x - step·axes∘g, in one walk: the candidate is √a, which √(1/d) makes a point of the "
        "boundary.",
        _PAIR
        + """>>> axes = np.ones(2)
>>> kernels.ellipsoid_cut_trial(
...     x, g, g_trial, axes, x_trial, cut=0.0625, step=0.5, weight=0.25
... )
ellipsoid_cut_trial(decrease=3.0, gmax=2.0, moved=1.0, applied=True)
>>> axes, x_trial
(array([2., 1.]), array([-1., -1.]))""",
        f"{_PAPER}, section 5.",
    ),
    "hypergradient": Description(
        "The normal u of a half-space {q : ⟨u, q⟩ <= ν} that contains every valid vector of step "
        "sizes, while the rejected p is outside. With D(x, z) = f(x) - f(z) - ⟨∇f(z), x - z⟩, ν is "
        "D(x, x_trial) for the first form, and 2 min(D(x, x_trial), D(x_trial, x)) for the second.",
        """>>> u = np.empty(2)
>>> kernels.hypergradient(np.array([1.0, 2.0]), np.array([1.0, -2.0]), u)
hypergradient(applied=True)
>>> u
array([0., 6.])""",
        f"{_PAPER}, equations 8 and 9; docs/searches.md for the second form.",
        {"u": "The normal."},
    ),
    "norm": Description(
        "Sums are float64, in the fixed order.",
        """>>> kernels.norm(np.array([3.0, -4.0]))
norm(norm2=25.0, max=4.0, applied=True)""",
        words={
            "scale": "Factor by which a is read for norm2: a power of two that keeps squares in "
            "range.",
            "norm2": "Σ (scale·a)².",
            "max": "max|a|, without the factor.",
        },
    ),
    "dot": Description(
        "",
        """>>> kernels.dot(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
dot(dot=11.0, applied=True)""",
        words={"b": "Numbers.", "dot": "The sum."},
    ),
}
