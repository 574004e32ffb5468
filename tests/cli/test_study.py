"""mdbopt study: what it lists, writes and refuses."""

import builtins
import csv

import pytest
from commands import run

from mdbopt import studies


def test_without_a_name_all_are_listed(capsys):
    code, out, _ = run(capsys, "study")
    assert code == 0
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == list(studies.names())
    assert all(line.endswith(".") for line in lines)


def test_a_study_writes_its_numbers_and_a_picture(capsys, tmp_path):
    code, out, err = run(capsys, "study", "weighted-quadratic", "--quick", "--output", tmp_path)
    assert (code, err) == (0, "")
    assert out.count("PASS") == 3
    assert "FAIL" not in out
    assert (tmp_path / "weighted-quadratic.png").read_bytes().startswith(b"\x89PNG")
    with open(tmp_path / "weighted-quadratic.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["series"] for row in rows} == {"GD", "sign descent"}


def test_a_table_of_the_user(capsys, tables, tmp_path):
    args = ("study", "linear-regression", "--quick", "--output", tmp_path)
    code, out, _ = run(capsys, *args, "--data", tables / "real.csv")
    assert code == 0
    assert "real: the condition number is" in out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["heavy-tale"], ["'heavy-tails'", "'zipf-scaling'", "got 'heavy-tale'"]),
        (["zipf-scaling", "--data", "x.csv"], ["--data", "only linear-regression"]),
        (["zipf-scaling", "--output", "nowhere"], ["--output", "no directory nowhere"]),
        (["linear-regression", "--data", "nowhere.csv"], ["nowhere.csv"]),
        (["--quick"], ["--quick", "name of a study"]),
        (["zipf-scaling", "--fast"], ["unrecognized arguments: --fast"]),
    ],
)
def test_refused(capsys, tmp_path, monkeypatch, args, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "study", *args)
    assert (code, out) == (2, "")
    assert all(word in err for word in words), err
    assert list(tmp_path.iterdir()) == []


def test_a_missing_extra_names_itself_before_the_work(capsys, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    code, _, err = run(capsys, "study", "zipf-scaling", "--output", tmp_path)
    assert code == 2
    assert "mdbopt[plot]" in err
    assert list(tmp_path.iterdir()) == []
