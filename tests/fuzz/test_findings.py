"""What the fuzzers found: each is refused by the name of the argument, or works."""

import re

import numpy as np
import pytest
from arrays import Producer

import mdbopt
from mdbopt import _core, data, kernels
from mdbopt._minimize import checkpoint
from mdbopt._noise import noise_level

UNEVEN = [[1.0], [2.0, 3.0], 4.0]


def objective(x):
    return float(x @ x), 2.0 * x


def minimize(**arguments):
    return mdbopt.minimize(objective, np.ones(3), jac=True, **arguments)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("initial_scale", lambda: mdbopt.Box(initial_scale=np.ones(2))),
        ("initial_scale", lambda: mdbopt.Box(initial_scale=None)),
        ("bounds", lambda: mdbopt.Box(bounds=np.array(1.0))),
        ("bounds", lambda: minimize(bounds=iter([1.0]))),
        ("bounds", lambda: mdbopt.Box(bounds=np.array([[0.0, 1j]]))),
        ("l1", lambda: mdbopt.Box(l1=UNEVEN)),
        ("noise", lambda: mdbopt.Guarded(noise=UNEVEN)),
        ("disp", lambda: minimize(options={"disp": np.ones(2)})),
        ("return_all", lambda: minimize(options={"return_all": np.ones(2)})),
        ("warmup", lambda: mdbopt.AdEMAMix(warmup=10**400)),
        ("warmup", lambda: mdbopt.ScheduleFreeAdamW(warmup=2**53 + 1)),
        ("initial", lambda: mdbopt.Yogi(initial=1e39).init(np.ones(2, np.float32))),
        ("initial", lambda: mdbopt.AdaGrad(initial=3.4e38).init(np.ones(2, np.float32))),
        ("threads", lambda: mdbopt.AdamW(threads=2**64)),
        ("threads", lambda: mdbopt.Guarded(threads=2**64)),
        ("threads", lambda: minimize(method="gd", options={"threads": 2**64})),
        ("threads", lambda: kernels.norm(np.ones(3), threads=2**64)),
        ("threads", lambda: kernels.norm(np.ones(3), threads=10**5000)),
        ("window", lambda: minimize(method="bb", options={"window": 10**400})),
        ("window", lambda: minimize(method="diagonal-bb", options={"window": 2**31})),
    ],
)
def test_an_option_is_refused_by_its_name(name, call):
    with pytest.raises((TypeError, ValueError), match=rf"{name}: "):
        call()


@pytest.mark.parametrize("formats", [{}, {"state_dtype": "8bit"}, {"state_dtype": "bfloat16"}])
@pytest.mark.parametrize("value", [1.0, None, "1", (), UNEVEN, str])
def test_what_is_no_array_in_a_saved_state(formats, value):
    x = np.ones(3, np.float32)
    optimizer = mdbopt.AdamW(**formats)
    saved = {**optimizer.init(x), "m": value}
    with pytest.raises((TypeError, ValueError), match=r"AdamW: saved: 'm'"):
        optimizer.restore(x, saved)


@pytest.mark.parametrize(
    ("optimizer", "why"),
    [
        (mdbopt.AdamW(state_dtype="8bit"), "blocks of 256 elements have one unit"),
        (mdbopt.ScheduleFreeAdamW(), "the average goes on"),
    ],
)
def test_a_state_of_rows_for_what_steps_whole_arrays(optimizer, why):
    x = np.ones(5, np.float32)
    saved = {**optimizer.init(x), "t": 1, "row_t": np.array([0, 0, 1, 1, 1])}
    with pytest.raises(ValueError, match=rf"saved: 'row_t': expected no steps of rows .*{why}"):
        optimizer.restore(x, saved)


def test_a_signalling_nan_in_a_saved_state_is_refused_by_name():
    x = np.ones(3, np.float32)
    optimizer = mdbopt.AdamW(state_dtype="bfloat16")
    signalling = np.array([0x7FF0000000000001], np.uint64).view(np.float64)
    saved = {**optimizer.init(x), "m": np.repeat(signalling, 3)}
    with pytest.raises(ValueError, match="saved: 'm': expected finite values"):
        optimizer.restore(x, saved)


@pytest.mark.parametrize("noise", [(3e123, 1e300), (0.0, 1e308)])
def test_a_search_that_noise_ends_is_saved_and_restored(noise):
    search = mdbopt.Guarded(noise=noise)
    f, g = objective(np.ones(3))
    state = search.init(np.ones(3), f, g)
    for _ in range(3):
        if not search.converged(state):
            search.judge(state, *objective(search.propose(state)))
    saved = dict(state)
    restored = dict(search.restore(saved))
    assert all(np.array_equal(restored[name], value) for name, value in saved.items())


def change(path, name, value):
    """Write another value, or none, into a checkpoint, and the digest that it then has."""
    with np.load(path) as file:
        entries = {entry: file[entry] for entry in file.files if entry not in ("digest", name)}
    if value is not None:
        entries[name] = np.asarray(value)
    np.savez(path, digest=np.array(checkpoint._digest(entries)), **entries)


@pytest.mark.parametrize("format_", [None, np.ones(2), "2.0"])
def test_a_checkpoint_of_no_format(tmp_path, format_):
    path = tmp_path / "run.npz"
    minimize(checkpoint=path)
    change(path, "format", format_)
    with pytest.raises(ValueError, match=re.escape(f"resume: {path} has another format")):
        minimize(resume=path)


def test_a_word_that_python_takes_for_a_number(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"\n\n;\x1e1")
    with pytest.raises(ValueError, match=r"table\.csv"):
        data.load(path)


@pytest.mark.parametrize("exponent", [-900, 1000])
def test_the_noise_of_numbers_whose_squares_leave_the_range(exponent):
    values = 1.0 + 1e-3 * np.random.default_rng(0).standard_normal(8)
    level = noise_level(values)
    assert level > 0.0
    assert noise_level(values * 2.0**exponent) == level * 2.0**exponent


def test_a_file_that_asks_for_four_gigabytes(tmp_path):
    path = tmp_path / "table.csv.xz"
    # The header of an .lzma file: properties, the size of the dictionary, that of the content.
    path.write_bytes(b"\x5d" + (2**32 - 1).to_bytes(4, "little") + b"\xff" * 8 + b"\0" * 14)
    with pytest.raises(ValueError, match=r"table\.csv\.xz: not a whole \.xz file: Memory usage"):
        data.load(path)


@pytest.mark.parametrize("stride", [2**63 - 1, -(2**63), 0])
def test_the_stride_of_one_element_says_nothing(stride):
    lent = Producer(np.array([3.0]), strides=[stride])
    np.testing.assert_array_equal(_core.as_numpy(lent, "x"), [3.0])
    assert kernels.norm(lent).norm2 == 9.0


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [
        ("sign", "number_t", -3.0),
        ("adam", "number_t", np.nan),
        ("adgd", "number_theta", -2.0),
        ("nonmonotone", "number_iterates", np.inf),
        ("bb", "number_weight", -2.0),
        ("diagonal-hessian", "number_coordinate", 3.0),
        ("diagonal-hessian", "number_coordinate", 0.5),
        ("hypergradient", "number_first_g2", 0.0),
        ("osgm", "number_rate", np.inf),
        ("adgd", "step", 0.0),
        ("osgm", "array_squares", [-1.0, 0.0, 0.0]),
        ("osgm-best", "number_metric", 3.0),
        ("osgm-best", "number_momentum_squares", -1.0),
        ("polyak", "status", 7),
        ("polyak", "scale", 0.0),
        ("polyak", "failures", -1),
        ("polyak", "ncut", 2**63 - 1),
        ("polyak", "held", 2),
    ],
)
def test_a_checkpoint_from_which_no_step_can_be_taken(tmp_path, method, name, value):
    path = tmp_path / "run.npz"
    minimize(method=method, checkpoint=path, every=1, options={"maxfun": 2})
    change(path, name, value)
    with pytest.raises(ValueError, match=rf"resume: .*run\.npz: .*saved: '{name}' is .*expected"):
        minimize(method=method, resume=path)


def test_a_difference_between_equal_points_says_nothing_of_the_diagonal(tmp_path):
    path = tmp_path / "run.npz"
    minimize(method="diagonal-hessian", checkpoint=path, every=1, options={"maxfun": 2})
    with np.load(path) as file:
        coordinate, x, trial = (file[name] for name in ("number_coordinate", "x", "x_trial"))
    assert coordinate == 1.0
    change(path, "x_trial", np.where(np.arange(3) == 2, trial + 1.0, x))
    assert minimize(method="diagonal-hessian", resume=path).success


def test_a_momentum_whose_slope_leaves_the_range_teaches_nothing(tmp_path):
    path = tmp_path / "run.npz"
    few = {"method": "osgm-best", "options": {"maxfun": 6, "gtol": 0.0}}
    minimize(**few, checkpoint=path)
    change(path, "array_m", np.full(3, 1e308))
    few["options"]["maxfun"] = 12
    assert minimize(**few, resume=path).nfev == 12


# Of the second Python would not write the digits.
@pytest.mark.parametrize("exponent", [400, 5000])
@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("guarded", "memory"),
        ("adam", "patience"),
        ("diagonal-hessian", "refresh"),
    ],
)
def test_a_whole_number_that_no_float_is(method, name, exponent):
    result = minimize(method=method, options={name: 10**exponent})
    assert result.success


def test_the_first_step_of_a_box_that_opens_anew_stays_finite():
    curvatures = np.array([1.0, 3.0, 10.0, 0.1, 30.0])
    search = mdbopt.Guarded(l1=[0.0, 4e174, 1e308, 3.0, 1.7e-310])
    x = np.zeros(5)
    state = search.init(x, *quadratic(x, curvatures))
    while not search.converged(state):
        search.judge(state, *quadratic(search.propose(state), curvatures))
    assert search.restore(dict(state)).keys() == state.keys()


def quadratic(x, curvatures):
    distance = x - 1.0
    return float(0.5 * curvatures @ distance**2), curvatures * distance


def test_a_gradient_whose_square_leaves_the_range_teaches_no_diagonal(tmp_path):
    path = tmp_path / "run.npz"
    minimize(method="diagonal-bb", checkpoint=path, every=1, options={"maxfun": 2, "gtol": 0.0})
    change(path, "g", np.full(3, -1e173))
    result = minimize(method="diagonal-bb", resume=path, options={"maxfun": 3, "gtol": 0.0})
    assert result.nfev == 3
