"""Every path has the bits, and its walks the cost, that `recorded_paths.json` says; and a change of
bits has its entry in the changelog."""

import pathlib
import re

import pytest
import recorded_paths

import mdbopt

CHANGELOG = pathlib.Path(__file__).parents[1] / "CHANGELOG.md"
RECORD = recorded_paths.load()
CASES = {case.name: case for case in recorded_paths.cases()}
BACKENDS = [{"backend": backend.name} for backend in mdbopt.backends() if backend.supported]
THREADS = [{"threads": 1}, {"threads": 2}, {"threads": 2, "backend": "baseline"}]
WHAT_TO_DO = (
    "a search took another path, or its walks cost something else, than before. If that is meant, "
    "record it: python tests/recorded_paths.py"
)


@pytest.mark.parametrize("name", CASES)
def test_the_path_is_that_of_the_record(name):
    case = CASES[name]
    wide = case.size == recorded_paths.WIDE
    for execution in THREADS if wide else BACKENDS:
        assert case.run(**execution) == RECORD[name], f"with {execution}: {WHAT_TO_DO}"


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.within])
def test_infinite_bounds_and_no_penalty_are_none(name):
    case = CASES[name]
    options = {**case.options, "bounds": [(None, None)], "l1": 0.0}
    other = recorded_paths.Case(
        case.problem, case.search, options, case.grouped, case.dtype, case.size
    )
    assert other.run() == RECORD[name]


@pytest.mark.parametrize("case", recorded_paths.cases_within(), ids=lambda case: case.name)
def test_what_is_recorded_within_is_another_path(case):
    free = recorded_paths.Case(
        case.problem, case.search, case.options, case.grouped, case.dtype, case.size
    )
    assert free.run()["path"] != RECORD[case.name]["path"]


def test_the_record_has_every_case_and_no_other():
    assert list(RECORD) == list(CASES)


def test_a_hash_tells_paths_apart():
    case = CASES["hinges 37 float64 box cut=cocoercive"]
    options = {**case.options, "forward": 1.1 + 1e-15}
    other = recorded_paths.Case(case.problem, case.search, options)
    assert other.run()["path"] != RECORD[case.name]["path"]


@pytest.mark.parametrize("problem", recorded_paths.PROBLEMS)
def test_gradients_are_those_of_f(problem):
    fun, x = recorded_paths.PROBLEMS[problem](recorded_paths.NARROW)
    g = fun(x)[1]
    for i in range(x.size):
        step = 1e-6 * (abs(x[i]) or 1)
        ahead, behind = x.copy(), x.copy()
        ahead[i] += step
        behind[i] -= step
        slope = (fun(ahead)[0] - fun(behind)[0]) / (2 * step)
        assert slope == pytest.approx(g[i], rel=1e-4, abs=1e-6 * max(abs(g)))


@pytest.mark.skipif(not CHANGELOG.is_file(), reason="CHANGELOG.md is not beside the tests")
def test_changed_bits_have_their_entry_in_the_changelog():
    digest = recorded_paths.digest(RECORD)
    newest = CHANGELOG.read_text().split("### Numerics", 1)[1].split("\n### ", 1)[0]
    newest = newest.split("\n## ", 1)[0]
    promised = re.findall(r"Recorded paths: `([0-9a-f]+)`", newest)
    assert promised == [digest], (
        "The record has other paths than CHANGELOG.md promises. If that is meant, say under "
        "Unreleased, Numerics, whose bits changed and why, and quote there: "
        f"Recorded paths: `{digest}`. Else restore the record."
    )
