"""Steps and searches of `mdbopt.torch` on DTensors and FSDP2's modules, beside one process."""

import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

import torch_rank as one  # noqa: E402
from processes import by_torch, made_once, succeeded  # noqa: E402
from torch_rank import (  # noqa: E402
    ALIGNED,
    BY_REDUCER,
    EIGHT,
    FINISHED,
    SEARCHES,
    STORED,
    UNEVEN,
    UPDATES,
    VARIANTS,
)

import mdbopt.torch  # noqa: E402

EXAMPLE = Path(one.__file__).parents[3] / "examples" / "fsdp_training.py"
CLOSE = 1e-6


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Give what each of four processes ended with."""
    script = Path(one.__file__)
    folder = made_once(
        tmp_path_factory, "dtensors", lambda made: succeeded(by_torch(4, script, made))
    )
    return [torch.load(folder / f"told-{k}.pt", weights_only=False) for k in range(4)]


def alone(shapes, cases=UPDATES, **how):
    """Give the same with whole tensors, in this process."""
    told = []
    for name, options in cases:
        params = [whole.requires_grad_() for whole in one.starts(shapes)]
        optimizer = one.stepped(name, options, params, **how)
        told.append((params, optimizer))
    return told


def distance(a, b):
    return float((a.double() - b.double()).norm() / max(float(b.double().norm()), 1e-30))


def check_updates(told, expected, equal):
    for said in told:
        for ours, (params, optimizer) in zip(said, expected, strict=True):
            for mine, whole in zip(ours["params"], params, strict=True):
                assert equal(mine, whole.detach())
            for mine, whole in zip(ours["states"], params, strict=True):
                theirs = optimizer.state[whole]
                assert mine.keys() == theirs.keys()
                assert all(equal(mine[name], theirs[name]) for name in theirs)
            for name, value in ours["numbers"].items():
                assert value == pytest.approx(optimizer.param_groups[0][name], rel=CLOSE)
            if optimizer.max_norm is not None:
                assert ours["norm"] == pytest.approx(optimizer.total_norm, rel=CLOSE)


def within(a, b):
    return distance(a, b) <= CLOSE


def test_updates_have_the_bits_of_one_process(told):
    check_updates([said["aligned"] for said in told], alone(ALIGNED), torch.equal)


@pytest.mark.parametrize("case", ["all whole", "square", "both cut"])
def test_replicated_dimensions_of_a_mesh_count_once(told, case):
    check_updates([said[case] for said in told], alone(ALIGNED, UPDATES[:6]), torch.equal)


@pytest.mark.parametrize("case", ["stored", "stored, replicated"])
def test_states_in_formats_have_the_bits_of_one_process(told, case):
    check_updates([said[case] for said in told], alone(ALIGNED, STORED), torch.equal)


def test_states_of_one_tensor_are_rounded_at_random_as_in_one_process(told):
    expected = alone(ALIGNED[:1], [("AdamW", EIGHT)])
    check_updates([said["stored at random"] for said in told], expected, torch.equal)


@pytest.mark.parametrize("case", ["low bits", "reloaded"])
def test_low_bits_and_states_of_another_format_are_those_of_one_process(told, case):
    make = one.with_low_bits if case == "low bits" else one.reloaded
    expected = make(lambda whole: whole)
    for said in told:
        assert all(map(torch.equal, said[case], expected))


@pytest.mark.parametrize("case", ["finished", "finished, replicated"])
def test_what_follows_a_step_has_the_bits_of_one_process(told, case):
    check_updates([said[case] for said in told], alone(ALIGNED, FINISHED), torch.equal)


def test_what_follows_a_step_of_uneven_and_of_whole_tensors(told):
    check_updates([said["finished, uneven"] for said in told], alone(UNEVEN, FINISHED), within)
    expected = alone(ALIGNED, FINISHED[:3])
    check_updates([said["finished, some whole"] for said in told], expected, within)


def test_an_average_is_shown_saved_and_left_as_in_one_process(told):
    expected = one.averaged(lambda whole: whole)
    assert expected["refused"].startswith("ValueError: LaProp: params: expected the point where")
    assert not torch.equal(expected["stepped"][0], expected["shown"][0])
    assert all(map(torch.equal, expected["back"], expected["stepped"]))
    for said in told:
        ours = said["averaged"]
        assert ours.keys() == expected.keys()
        assert ours["refused"] == expected["refused"]
        for name in ours.keys() - {"refused"}:
            assert all(map(torch.equal, ours[name], expected[name])), name


def test_tensors_that_are_cut_along_other_dimensions_count_once(told):
    check_updates([said["cut apart"] for said in told], alone(ALIGNED, UPDATES[:5]), within)


@pytest.mark.parametrize(("case", "cases"), [("uneven", UPDATES), ("by columns", UPDATES[:6])])
def test_pieces_may_be_short_or_empty_and_cut_anywhere(told, case, cases):
    check_updates([said[case] for said in told], alone(UNEVEN, cases), within)


def test_a_norm_over_several_calls_of_the_core(told):
    expected = alone(ALIGNED, UPDATES[:1], grouped=True)
    check_updates([said["grouped"] for said in told], expected, within)


def test_replicated_tensors_beside_those_that_are_cut(told):
    check_updates([said["some whole"] for said in told], alone(ALIGNED, UPDATES[:5]), within)


def test_all_processes_end_with_the_same_bits(told):
    for case in ("uneven", "by columns", "some whole", "grouped"):
        for said in told[1:]:
            for mine, first in zip(said[case], told[0][case], strict=True):
                pairs = zip(mine["params"], first["params"], strict=True)
                assert all(torch.equal(a, b) for a, b in pairs)
                assert mine["norm"] == first["norm"]


def test_a_reducer_for_plain_tensors(told):
    for k, (case, grouped) in enumerate(BY_REDUCER):
        [(params, optimizer)] = alone(ALIGNED, [case], grouped=grouped)
        for j, whole in enumerate(params):
            mine = torch.cat([said["by reducer"][k]["params"][j] for said in told])
            theirs = whole.detach().view(-1)
            assert within(mine, theirs) if grouped else torch.equal(mine, theirs)
        for said in told:
            assert said["by reducer"][k]["norm"] == pytest.approx(optimizer.total_norm, rel=1e-12)


@pytest.mark.parametrize("name", [*SEARCHES, *VARIANTS])
def test_searches_of_one_tensor_have_the_bits_of_one_process(told, name):
    options = VARIANTS.get(name, {})
    expected = one.search_case(name.split()[0], ALIGNED[:1], lambda whole: whole, **options)
    for said in told:
        ours = said["searches of one"][name]
        assert (ours["losses"], ours["entry"]) == (expected["losses"], expected["entry"])
        assert torch.equal(ours["params"][0], expected["params"][0])


@pytest.mark.parametrize("name", [*SEARCHES, *VARIANTS])
def test_searches_over_uneven_pieces_decide_alike(told, name):
    options = VARIANTS.get(name, {})
    expected = one.search_case(name.split()[0], UNEVEN, lambda whole: whole, **options)
    first = told[0]["searches uneven"][name]
    # A sum that is rounded elsewhere takes a search along another path after some tens of steps.
    assert first["losses"][:2] == pytest.approx(expected["losses"][:2], rel=CLOSE)
    for said in told[1:]:
        ours = said["searches uneven"][name]
        assert (ours["losses"], ours["entry"]) == (first["losses"], first["entry"])
        pairs = zip(ours["params"], first["params"], strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def trained(steps, **options):
    model = one.network()
    optimizer = one.adam_of(model, **options)
    one.train(model, optimizer, 0, steps)
    return model, optimizer


def test_fsdp_trains_and_saves_as_one_process(told):
    model, optimizer = trained(6, average=0.9)
    for said in told:
        ours = said["fsdp"]
        arrays = ("exp_avg", "exp_avg_sq", "average")
        assert ours["kinds"] == {"step": "Tensor", **dict.fromkeys(arrays, "DTensor")}
        for name, param in model.named_parameters():
            saved = ours["saved"][name]
            assert float(saved["step"]) == 6.0
            assert all(within(saved[array], optimizer.state[param][array]) for array in arrays)
    model, optimizer = trained(12, average=0.9)
    for said in told:
        ours = said["fsdp"]
        for mine, whole in zip(ours["params"], model.parameters(), strict=True):
            assert within(mine, whole.detach())
        assert ours["norm"] == pytest.approx(optimizer.total_norm, rel=CLOSE)
        assert ours["versions"] >= 6  # autograd sees that parameters are written to


def test_fsdp_shows_the_average_of_one_process(told):
    expected = one.averaged_network(one.network())
    for said in told:
        for mine, whole in zip(said["fsdp, averaged"], expected, strict=True):
            assert all(map(within, mine, whole))


def test_ddp_is_as_it_was(told):
    model, _ = trained(12)
    for said in told:
        for mine, first, whole in zip(said["ddp"], told[0]["ddp"], model.parameters(), strict=True):
            assert torch.equal(mine, first)
            assert within(mine, whole.detach())


def test_a_step_is_skipped_by_all(told):
    for said in told:
        param, norm = said["skipped"]["skipped"]
        assert torch.equal(param, torch.ones(4))
        assert norm is None
        assert said["skipped"]["norm"] == 4.0
        assert not torch.equal(said["skipped"]["moved"], param)


ON_ALL = {
    "mixed AdamW": "TypeError: AdamW: params: expected DTensors alone or plain tensors alone",
    "mixed Guarded": "TypeError: Guarded: params: expected DTensors alone or plain tensors alone",
    "partial AdamW": "TypeError: AdamW: params[1]: has placements (Partial(sum),), expected those",
    "partial Guarded": "TypeError: Guarded: params[1]: has placements (Partial(sum),), expected",
    "some whole": "ValueError: Guarded: params: expected DTensors that are cut along the same",
    "reducer of some": "ValueError: AdamW: reducer: expected None for DTensors of which some are",
    **{
        f"sums of some: {name}": f"ValueError: {name}: params: expected DTensors that are cut along"
        for name in ("NormalizedGD", "OSGM")
    },
    **{
        f"codes of {name}": f"ValueError: AdamW: params[0]: has shape {shape} and placements"
        for name, shape in (("rows", (7, 512)), ("elements", (4, 65)), ("columns", (8, 512)))
    },
    "groups": "TypeError: AdamW: params: expected DTensors alone or plain tensors alone",
    "plain state": "TypeError: AdamW: state of 'w': exp_avg: expected a DTensor with placements",
    "disagreeing": "RuntimeError: eps: expected the same on every shard, got 1e-08 on shard 0",
    "other loss": "RuntimeError: f: expected the same on every shard, got",
}
ON_THE_LAST = {
    "raising": ("KeyError: 'lost'", "KeyError: 'lost'"),
    "raising first": ("KeyError: 'lost'", "KeyError: 'lost'"),
    "sparse": ("RuntimeError: AdamW: gradient of parameter 0",) * 2,
}


@pytest.mark.parametrize("case", ON_ALL)
def test_what_is_refused_on_all_processes(told, case):
    for said in told:
        assert said["refused"][case].startswith(ON_ALL[case])
        assert said["refused"]["groups left"] == 1


@pytest.mark.parametrize("case", ON_THE_LAST)
def test_an_error_of_one_process_ends_the_others(told, case):
    own, passed_on = ON_THE_LAST[case]
    assert told[-1]["refused"][case].startswith(own)
    for said in told[:-1]:
        expected = f"RuntimeError: shard {len(told) - 1} has failed: {passed_on}"
        assert said["refused"][case].startswith(expected)


def test_an_infinite_norm_over_several_calls():
    params = [whole.requires_grad_() for whole in one.starts(UNEVEN)]
    optimizer = mdbopt.torch.SGD(
        [{"params": params[:1], "momentum": 0.5}, {"params": params[1:]}], lr=0.1, max_norm=1.0
    )
    before = params[1].detach().clone()
    for p in params:
        p.grad = torch.ones_like(p)
    params[0].grad[0, 0] = math.inf
    optimizer.step()
    assert optimizer.total_norm == math.inf
    assert torch.isnan(params[0].detach()[0, 0])
    assert torch.equal(params[1].detach(), before)


def test_the_example_of_fsdp():
    accuracy, words = succeeded(by_torch(2, EXAMPLE)).split(" ", 1)
    assert words == "% of 400 held-out digits are recognised\n"
    assert float(accuracy) > 85.0
