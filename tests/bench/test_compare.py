"""bench/compare.py: rows that are matched, noise that is told from a change."""

import json
import math

import compare
import numpy as np
import pytest


def rows(seconds, evaluations=40):
    """Figures as benches write them."""
    return {
        "updates": [
            {
                "rule": f"rule{k}",
                "size": 1000 * k,
                "peers": {"torch": {"ratio": 2.0, "low": 0.1}},
                "seconds": s,
            }
            for k, s in enumerate(seconds)
        ],
        "solvers": [{"problem": "heart", "evaluations": evaluations, "counts": [1, 2]}],
    }


def figures(whole):
    return dict(compare.figures(whole))


def test_figures_are_named_by_what_names_their_row():
    found = figures(rows([0.5]))
    assert found == {
        ("updates", "rule=rule0", "size=0", "peers", "torch", "ratio"): 2.0,
        ("updates", "rule=rule0", "size=0", "seconds"): 0.5,
        ("solvers", "problem=heart", "evaluations"): 40.0,
        ("solvers", "problem=heart", "counts", "0"): 1.0,
        ("solvers", "problem=heart", "counts", "1"): 2.0,
    }


def test_one_of_many_that_slowed_is_found_and_the_scatter_of_all_is_not():
    rng = np.random.default_rng(0)
    before = 1e-3 * (1 + 0.01 * rng.standard_normal(40))
    after = before * (1 + 0.01 * rng.standard_normal(40))
    after[7] *= 1.3
    found = compare.compare([figures(rows(before))], [figures(rows(after))])
    assert [each.key[1] for each in found["moved"]] == ["rule=rule7"]
    assert found["moved"][0].change == pytest.approx(math.log(1.3), abs=0.05)
    assert found["moved"][0].noise < 0.1


def test_the_scatter_of_a_sides_own_runs_counts():
    calm = [1e-3] * 5
    wild = [[1e-3, 1e-3, 1e-3, 1e-3, s] for s in (1e-3, 1.5e-3, 2e-3)]
    before = [figures(rows(calm))] * 3
    found = compare.compare(before, [figures(rows(run)) for run in wild])
    assert found["moved"] == []
    found = compare.compare(before, [figures(rows([*calm[:4], 1.5e-3]))] * 3)
    assert [each.key[1] for each in found["moved"]] == ["rule=rule4"]


def test_a_machine_that_is_slower_as_a_whole_shows_in_the_shift():
    before = [1e-3, 2e-3, 3.3e-3]
    found = compare.compare([figures(rows(before))], [figures(rows([1.1 * s for s in before]))])
    assert found["shift"]["seconds"] == pytest.approx(1.1)


def test_any_change_of_a_count_is_told_and_what_one_side_lacks():
    more = rows([1e-3, 2e-3], evaluations=41)
    found = compare.compare([figures(rows([1e-3]))], [figures(more)])
    assert [(each.before, each.after) for each in found["moved"]] == [(40.0, 41.0)]
    assert (found["only_before"], found["only_after"]) == (0, 2)


def written(path, whole):
    path.write_text(json.dumps({"machine": {"date": "2026-11-29", "commit": "abc"}, **whole}))
    return str(path)


def test_the_command_says_what_moved(tmp_path, capsys):
    before = written(tmp_path / "a.json", rows([1e-3, 2e-3, 3.3e-3]))
    after = written(tmp_path / "b.json", rows([1e-3, 2e-3, 3.3e-3], evaluations=20))
    compare.main([before, before])
    out = capsys.readouterr().out
    assert "nothing moved beyond noise" in out
    assert "before: 2026-11-29, abc" in out
    with pytest.raises(SystemExit) as stopped:
        compare.main(
            ["--before", before, "--after", after, "--fail", "--json", str(tmp_path / "c")]
        )
    assert stopped.value.code == 1
    assert "evaluations" in capsys.readouterr().out
    assert json.loads((tmp_path / "c").read_text())["moved"][0]["after"] == 20.0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "expected two files"),
        (["one.json"], "expected two files"),
        (["none.json", "none.json"], "none.json: "),
        (["list.json", "list.json"], "expected what a bench wrote with --json"),
        (["a.json", "b.json", "--after", "c.json"], "expected two files, or --before"),
    ],
)
def test_bad_files_are_named(args, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(SystemExit) as stopped:
        compare.main(args)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
