"""bench/measure.py: what it understands, prints and writes. No time is ever asserted."""

import json
import math
import sys

import measure
import numpy as np
import pytest
from measuring import clock, kernels, ours, peers, solvers, updates, values, words, yardstick
from measuring.methods import METHODS
from measuring.peers import _numpy

import mdbopt
from mdbopt.kernels._internal import RULES

QUICK = ["--seconds", "0.002", "--peers", "none"]
RULE = next(rule for rule in RULES if rule.name == "along")


def are_ordinary(array):
    normal = (array == 0.0) | (abs(array) >= np.finfo(array.dtype).tiny)
    return (np.isfinite(array) & normal).all()


def test_every_update_is_compared():
    assert {method.rule for method in METHODS.values()} == {
        rule.name for rule in mdbopt.rules() if rule.update
    }
    for method in METHODS.values():
        optimizer = getattr(mdbopt, method.optimizer)(**method.options)
        assert optimizer._rule() == method.rule


def run(capsys, *args):
    measure.main([*map(str, args)])
    return capsys.readouterr().out


def run_json(capsys, path, *args):
    run(capsys, *args, *QUICK, "--json", path)
    return json.loads(path.read_text())


def test_kernels_fill_a_table(capsys):
    out = run(
        capsys, "kernels", "--rules", "dot,box_cut,along", "--sizes", "100,2e3",
        "--threads", "1,2", *QUICK,
    )  # fmt: skip
    lines = out.splitlines()
    head = next(k for k, line in enumerate(lines) if line.startswith("rule "))
    rows = [line.split() for line in lines[head + 1 : head + 7]]
    assert lines[head].split() == ["rule", "dtype", "backend", "threads", "1e2", "2e3"]
    assert sorted((row[0], row[1], row[3]) for row in rows) == [
        ("along", "float32", "1"), ("along", "float32", "2"),
        ("box_cut", "float64", "1"), ("box_cut", "float64", "2"),
        ("dot", "float32", "1"), ("dot", "float32", "2"),
    ]  # fmt: skip
    assert "%)" in lines[head + 1]


def test_every_rule_runs_on_every_dtype(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(kernels, "ROUNDS", 1)
    path = tmp_path / "bench.json"
    found = run_json(capsys, path, "kernels", "--sizes", "64", "--dtypes", "float64,float32")
    assert {row["rule"] for row in found["kernels"]} == {rule.name for rule in RULES}
    for row in found["kernels"]:
        assert row["seconds"] is not None, f"{row['rule']} refuses the arrays of the bench"
        assert row["gb_s"] > 0.0
        assert row["percent_copy"] > 0.0


def test_numbers_stay_ordinary_in_a_turn():
    """Repeated calls must not end at infinities or subnormal numbers, which take longer."""
    streams = values.Streams()
    for rule, where in kernels.cases(None, ["float64", "float32"], ["baseline"], [100], [1]):
        case = kernels.Case(rule, where, streams)
        case.refill()
        for _ in range(kernels.MOST):
            case()
        for stream, array in zip(rule.streams, case._streams, strict=True):
            assert are_ordinary(array), f"{rule.name}: {stream.name}"


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_numbers_stay_ordinary_over_many_steps(method):
    params, grads = values.parameters([(40,)], "float32", "numpy")
    states = []
    step = ours.step(
        method, params, grads, form="plan", fill=states.append, flush_subnormals=False, threads=1
    )
    for _ in range(20_000):
        step()
    arrays = [array for tree in states[0]._arrays.values() for array in tree]
    assert len(arrays) == len(ours.rule_of(method).streams) - 2
    assert all(map(are_ordinary, [*params, *arrays]))


def test_traffic_is_that_of_the_description():
    for rule in RULES:
        for dtype, moved in rule.bytes.items():
            traffic = kernels.traffic(rule, dtype)
            assert traffic.moved == moved
            assert min(traffic.updated, traffic.written, traffic.read) >= 0
    assert kernels.traffic(RULE, "float64") == yardstick.Traffic(updated=0, written=8, read=16)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("traffic", [(64, 0, 0), (0, 64, 0), (0, 0, 64), (64, 128, 256)])
def test_yardsticks_take_time(traffic, threads):
    traffic = yardstick.Traffic(*traffic) * 100
    assert 0.0 < yardstick.fastest(traffic, threads) < 1.0


def test_pairs_take_turns():
    order = []
    turns = [clock.Turn(lambda name=name: order.append(name), most=1) for name in "ab"]
    pair = clock.paired(*turns, span=1e-4, rounds=3)
    assert "".join(order[-6:]) == "ababab"
    assert pair.ratio == pair.theirs / pair.ours
    assert 0.0 < pair.low <= pair.high


def test_a_turn_begins_with_what_it_is_told():
    filled, seen = [], []
    turn = clock.Turn(lambda: seen.append(len(filled)), lambda: filled.append(0), most=2)
    turn.prepare(1.0)
    before = len(filled)
    assert turn() > 0.0
    assert seen.count(before + 1) == 2  # one of them warms up


@pytest.mark.parametrize(
    ("model", "arrays", "elements"),
    [("tiny", 161, 5105), ("resnet50", 161, 25_557_032), ("gpt2", 148, 124_439_808)],
)
def test_models_have_the_published_sizes(model, arrays, elements):
    shapes = list(values.MODELS[model]())
    assert len(shapes) == arrays
    assert sum(map(math.prod, shapes)) == elements


def test_arrays_hold_ordinary_numbers():
    x, g = values.uniform(100_000, "float32"), values.gradient(100_000, "float32")
    assert 0.5 <= x.min() < x.max() <= 1.5
    assert 0.005 <= abs(g).min() < abs(g).max() <= 0.015
    assert 0.4 < (g > 0).mean() < 0.6
    (params, grads) = values.parameters([(3, 2), (4,)], "float64", "numpy")
    assert [array.shape for array in (*params, *grads)] == [(3, 2), (4,)] * 2


@pytest.mark.parametrize("name", _numpy.UPDATES)
def test_plain_numpy_makes_the_same_update(name):
    ours_, theirs = (values.parameters([(50,), (3, 4)], "float64", "numpy") for _ in range(2))
    steps = [
        ours.step(METHODS[name], *ours_),
        peers.PEERS["numpy"].step(METHODS[name], *theirs),
    ]
    for _ in range(3):
        for step in steps:
            step()
    for x, y in zip(ours_[0], theirs[0], strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)


def test_updates_stand_beside_peers(capsys):
    out = run(
        capsys, "updates", "--rules", "adamw", "--sizes", "1e2", "--models", "tiny",
        "--seconds", "0.002", "--peers", "numpy",
    )  # fmt: skip
    title, head, *rows, beside = out.rstrip().splitlines()[3:]
    assert title == "µs of ours, and the time of others over it"
    assert head.split()[-1] == "numpy"
    assert [row.split()[:3] for row in rows] == [
        ["adamw", "float32", "1e2"], ["adamw", "float32", "tiny"],
    ]  # fmt: skip
    assert all("±" in row for row in rows)
    assert beside == f"beside numpy {np.__version__}"


def test_missing_peers_are_listed_and_not_imported(capsys, monkeypatch):
    monkeypatch.setattr(peers.Peer, "installed", property(lambda peer: peer.name == "numpy"))
    out = run(capsys, "updates", "--rules", "adamw", "--sizes", "10", "--seconds", "0.001")
    last = out.rstrip().splitlines()[-1]
    assert last.startswith("not installed: torch, deepspeed, lion-pytorch,")
    assert "deepspeed" not in sys.modules


def test_a_peer_that_fails_is_told_of_and_left_out(capsys, monkeypatch):
    def broken(*_args):
        raise RuntimeError("no compiler\nhere")

    monkeypatch.setattr(peers.Peer, "step", broken)
    out = run(
        capsys, "updates", "--rules", "adamw", "--sizes", "10,20", "--peers", "numpy",
        "--seconds", "0.001",
    )  # fmt: skip
    assert out.rstrip().splitlines()[-1] == "numpy failed: RuntimeError: no compiler here"


def test_peers_of_other_sizes_are_left_out():
    running = updates.Peers([peers.PEERS["numpy"]])
    where = updates.one_array(METHODS["adamw"], "float32", 30_000_000, 1)
    assert running.step(peers.PEERS["numpy"], where) is None


def test_solvers_stand_beside_lbfgs(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(solvers, "REPEATS", 1)
    monkeypatch.setattr(solvers, "MAXFUN", 40)
    found = run_json(capsys, tmp_path / "bench.json", "solvers")
    assert [row["method"] for row in found["solvers"]] == ["guarded", "lbfgs"] * 2
    for row in found["solvers"]:
        assert row["evaluations"] > 1
        assert row["seconds"] > 0.0
    assert found["solvers"][1]["ratio_seconds"] == 1.0


def test_json_goes_to_a_file_beside_the_table(capsys, tmp_path):
    path = tmp_path / "bench.json"
    out = run(capsys, "kernels", "--rules", "dot", "--sizes", "64", *QUICK, "--json", path)
    found = json.loads(path.read_text())
    assert "over the rules" in out
    assert set(found) == {"machine", "kernels", "over_rules"}
    assert found["machine"]["mdbopt"] == mdbopt.__version__
    assert [row["size"] for row in found["kernels"]] == [64]


def test_picture_is_drawn(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    path = tmp_path / "bench.png"
    out = run(
        capsys, "kernels", "updates", "--rules", "dot,adamw", "--sizes", "64,256",
        "--peers", "numpy", "--seconds", "0.001", "--plot", path,
    )  # fmt: skip
    assert out.splitlines()[-1] == f"picture: {path}"
    assert imread(path).shape[1] > 1200


ERRORS = [
    (["walk"], "PART: unknown 'walk', expected some of kernels, updates, solvers"),
    (["--rules", "dot,walk"], "--rules: unknown 'walk'"),
    (["--sizes", "1e3,x"], "--sizes: expected whole numbers such as 1e3,30000, got 'x'"),
    (["--sizes", "0"], "--sizes"),
    (["--sizes", "1.5"], "--sizes"),
    (["--sizes", "inf"], "--sizes"),
    (["--threads", "0"], "--threads: expected numbers or all, got '0'"),
    (["--threads", "two"], "--threads"),
    (["--dtypes", "int8"], "--dtypes: unknown 'int8'"),
    (["--backends", "mmx"], "--backends: unknown 'mmx'"),
    (["--peers", "tf"], "--peers: unknown 'tf'"),
    (["--models", "vgg"], "--models: unknown 'vgg'"),
    (["--seconds", "0"], "--seconds"),
    (["--json", "no/such/file.json"], "there is no directory"),
    (["--plot", "bench.xyz"], "should end in one of"),
]


@pytest.mark.parametrize(("args", "message"), ERRORS, ids=lambda value: str(value)[:40])
def test_errors_come_before_a_clock_runs(capsys, monkeypatch, tmp_path, args, message):
    if "--plot" in args:
        pytest.importorskip("matplotlib")
    monkeypatch.setattr(kernels, "measure", lambda *_args: pytest.fail("a clock ran"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        measure.main(args)
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


def test_help_says_how(capsys):
    with pytest.raises(SystemExit) as ended:
        measure.main(["--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0
    assert "--peers" in out


def test_sizes_are_written_short():
    assert [words.size(n) for n in (1000, 30_000, 10_000_000, 1234)] == [
        "1e3", "3e4", "1e7", "1,234",
    ]  # fmt: skip
