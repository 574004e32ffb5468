"""mdbopt diagnose: what it prints of a table, and what it refuses."""

import json

import pytest
from commands import run


def test_the_table_that_needs_no_file(capsys):
    code, out, err = run(capsys, "diagnose")
    assert (code, err) == (0, "")
    assert out.startswith("breast-cancer: 569 rows, 30 columns; logistic, as ")
    assert "method: guarded" in out
    assert "scales of the coordinates lie a factor of" in out
    assert "the gradient agrees with differences of f" in out


def test_one_json_object(capsys, tables):
    code, out, _ = run(capsys, "diagnose", tables / "real.csv", "--json", "--l2", "0.5")
    assert code == 0
    found = json.loads(out)
    assert (found["table"], found["loss"], found["l2"]) == ("real", "squares", 0.5)
    assert found["method"] == "guarded"
    assert found["facts"]["condition"] >= 1.0
    assert found["facts"]["class_shares"] is None


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["absent.csv"], "absent.csv"),
        (["--l2", "-1"], "--l2: expected a finite number >= 0, got -1"),
        (["--loss", "cubes"], "invalid choice: 'cubes'"),
        (["--method", "box"], "unrecognized arguments: --method;"),
    ],
)
def test_refused(capsys, args, words):
    code, out, err = run(capsys, "diagnose", *args)
    assert code == 2
    assert out == ""
    assert words in err
