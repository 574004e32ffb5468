"""``mdbopt predict``: the model of a fit on other parts of its table, in the file's own words."""

import csv
import io
import sys

import numpy as np
import pytest

from mdbopt import cli, data

pd = pytest.importorskip("pandas")
datasets = pytest.importorskip("sklearn.datasets")
pytestmark = pytest.mark.filterwarnings("error")
FUELS = ("gas", "oil, heavy", "wood")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One table in several formats, and models of it."""
    folder = tmp_path_factory.mktemp("predict")
    rng = np.random.default_rng(11)
    frame = pd.DataFrame(
        {
            "size": rng.normal(50, 20, 80).round(2),
            "fuel": rng.choice(FUELS, 80),
            "age": rng.integers(0, 9, 80),
        }
    )
    z = (frame["size"] - 50) / 10 + (frame["fuel"] == "gas") * 3 - frame["age"] / 4
    frame["price"] = (1000 + 10 * z + rng.normal(0, 0.1, 80)).round(3)
    frame["sold"] = np.where(z > 0, "ja", "nein")
    frame["class"] = np.digitize(z, [-1, 1]) + 1
    targets = {"price": "squares", "sold": "logistic", "class": "softmax"}
    for target in targets:
        part = frame[["size", "fuel", "age", target]]
        part.to_csv(folder / f"{target}.csv", index=False)
        part.to_csv(folder / f"{target}-index.csv")
        part.to_csv(folder / f"{target}-excel.csv", index=False, sep=";", decimal=",")
        part.to_csv(folder / f"{target}-bare.csv", index=False, header=False)
        part.drop(columns=target).to_csv(folder / f"{target}-rows.csv", index=False)
        part.drop(columns=target).to_csv(
            folder / f"{target}-bare-rows.csv", header=False, index=False
        )
        part[[target, "age", "fuel", "size"]].to_csv(folder / f"{target}-turned.csv", index=False)
        arguments = [str(folder / f"{target}.csv"), "--one-hot", "--missing", "mean"]
        assert cli.main(["fit", *arguments, "--save", str(folder / target)]) == 0
    return folder


def run(capsys, *args):
    code = cli.main([str(arg) for arg in args])
    return code, *capsys.readouterr()


def predictions(capsys, *args):
    code, out, err = run(capsys, "predict", *args)
    assert (code, err) == (0, "")
    return list(csv.DictReader(io.StringIO(out)))


@pytest.mark.parametrize("target", ["price", "sold", "class"])
@pytest.mark.parametrize(
    "part", ["", "-index", "-excel", "-bare", "-rows", "-bare-rows", "-turned"]
)
def test_every_part_gives_the_same(capsys, folder, target, part):
    table = pd.read_csv(folder / f"{target}.csv")
    found = [
        row["prediction"]
        for row in predictions(capsys, folder / f"{target}.npz", folder / f"{target}{part}.csv")
    ]
    assert len(found) == 80
    if target == "price":
        np.testing.assert_allclose(np.array(found, float), table[target], atol=5)
        expected = predictions(capsys, folder / "price.npz", folder / "price.csv")
        assert found == [row["prediction"] for row in expected]
    else:
        assert np.mean(np.array(found) == table[target].astype(str)) > 0.9
        assert set(found) <= set(table[target].astype(str))


def test_predictions_are_those_of_the_problem(capsys, folder):
    model = np.load(folder / "price.npz")
    table = data.load(folder / "price.csv", one_hot=True)
    found = [float(row["prediction"]) for row in
             predictions(capsys, folder / "price.npz", folder / "price.csv")]  # fmt: skip
    np.testing.assert_array_equal(found, table.X @ model["weights"][:-1] + model["weights"][-1])


@pytest.mark.parametrize(
    ("target", "classes"), [("sold", ["ja", "nein"]), ("class", ["1", "2", "3"])]
)
def test_probabilities(capsys, folder, target, classes):
    rows = predictions(
        capsys, folder / f"{target}.npz", folder / f"{target}.csv", "--probabilities"
    )
    names = [f"probability of {label}" for label in classes]
    assert list(rows[0]) == ["prediction", *names]
    shares = np.array([[float(row[name]) for name in names] for row in rows])
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert [classes[k] for k in shares.argmax(axis=1)] == [row["prediction"] for row in rows]
    model = np.load(folder / f"{target}.npz")
    table = data.load(folder / f"{target}.csv", one_hot=True)
    z = table.X @ model["weights"][:-1] + model["weights"][-1]
    if target == "sold":
        np.testing.assert_allclose(shares[:, 1], 1 / (1 + np.exp(-z)))
    else:
        np.testing.assert_allclose(shares, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))


def test_missing_and_unknown_values(capsys, folder, tmp_path):
    part = tmp_path / "part.csv"
    part.write_text("size,fuel,age\n,gas,3\n50,coal,\n")
    model = np.load(folder / "price.npz")
    means = model["means"]
    table = data.load(folder / "price.csv", one_hot=True)
    np.testing.assert_allclose(means, table.X.mean(axis=0))
    rows = np.array([[means[0], 1, 0, 0, 3], [50, *means[1:4], means[4]]])
    found = [float(row["prediction"]) for row in predictions(capsys, folder / "price.npz", part)]
    np.testing.assert_allclose(found, rows @ model["weights"][:-1] + model["weights"][-1])
    run(capsys, "fit", folder / "price.csv", "--one-hot", "--save", tmp_path / "strict.npz")
    code, out, err = run(capsys, "predict", tmp_path / "strict.npz", part)
    assert (code, out) == (2, "")
    assert "row 1, line 2: column 'size' has a missing value" in err
    part.write_text("size,fuel,age\n3,coal,3\n")
    _, _, err = run(capsys, "predict", tmp_path / "strict.npz", part)
    assert "column 'fuel' holds 'coal', which the table of the fit has not; expected one of " in err
    assert "'gas', 'oil, heavy', 'wood'" in err


def test_the_target_is_not_looked_at(capsys, folder, tmp_path):
    expected = predictions(capsys, folder / "sold.npz", folder / "sold-rows.csv")
    frame = pd.read_csv(folder / "sold.csv")
    for value in (None, "?", "never seen", 5):
        frame.assign(sold=value).to_csv(tmp_path / "t.csv", index=False)
        assert predictions(capsys, folder / "sold.npz", tmp_path / "t.csv") == expected


def test_named_arrays_are_matched_by_name(capsys, folder, tmp_path):
    table = data.load(folder / "sold.csv", one_hot=True)
    turned = list(reversed(table.feature_names))
    np.savez(tmp_path / "t.npz", X=table.X[:, ::-1], feature_names=turned)
    expected = predictions(capsys, folder / "sold.npz", folder / "sold.csv")
    assert predictions(capsys, folder / "sold.npz", tmp_path / "t.npz") == expected
    np.savez(tmp_path / "t.npz", X=table.X[:, ::-1], feature_names=["other", *turned[1:]])
    code, _, err = run(capsys, "predict", folder / "sold.npz", tmp_path / "t.npz")
    assert code == 2
    assert "has no column 'age'" in err


def test_output_is_a_csv(capsys, folder, tmp_path):
    place = tmp_path / "out.csv"
    code, out, err = run(
        capsys, "predict", folder / "sold.npz", folder / "sold-rows.csv", "--output", place
    )
    assert (code, out, err) == (0, "", "")
    assert list(pd.read_csv(place).columns) == ["prediction"]
    assert place.read_text().splitlines()[0] == "prediction"
    assert len(place.read_text().splitlines()) == 81


@pytest.mark.parametrize("zero_based", [True, False])
def test_libsvm_parts_of_other_widths(capsys, zero_based, tmp_path):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((60, 4)).round(3)
    y = np.where(X[:, 0] - X[:, 3] > 0, 1, -1)

    def write(name, rows):
        datasets.dump_svmlight_file(
            rows, y[: len(rows)], str(tmp_path / name), zero_based=zero_based
        )
        return tmp_path / name

    code, *_ = run(capsys, "fit", write("train", X), "--save", tmp_path / "m.npz")
    assert code == 0
    model = np.load(tmp_path / "m.npz")
    first = X.copy()
    first[:, 0] = 0
    last = X.copy()
    last[:, 3] = 0
    wide = np.hstack([X, X])
    for name, part in (("first", first), ("last", last), ("wide", wide), ("train", X)):
        z = part[:, :4] @ model["weights"][:-1] + model["weights"][-1]
        found = predictions(capsys, tmp_path / "m.npz", write(name, part))
        assert [int(row["prediction"]) for row in found] == np.where(z > 0, 1, -1).tolist()


def test_arrays(capsys, tmp_path):
    rng = np.random.default_rng(6)
    X = rng.standard_normal((40, 3))
    y = np.arange(40) % 2 * 2.0 - 1.0
    np.savez(tmp_path / "t.npz", X=X, y=y)
    np.savez(tmp_path / "rows.npz", X=X)
    np.save(tmp_path / "rows.npy", X)
    np.save(tmp_path / "t.npy", np.column_stack([X, y]))
    np.savetxt(tmp_path / "rows.csv", X, delimiter=",", fmt="%.17g")
    for table in ("t.npz", "t.npy"):
        assert run(capsys, "fit", tmp_path / table, "--save", tmp_path / "m")[0] == 0
        weights = np.load(tmp_path / "m.npz")["weights"]
        expected = np.where(X @ weights[:-1] + weights[-1] > 0, "1", "-1").tolist()
        for name in ("t.npz", "rows.npz", "rows.npy", "t.npy", "rows.csv"):
            found = predictions(capsys, tmp_path / "m.npz", tmp_path / name)
            assert [row["prediction"] for row in found] == expected


def test_models_of_one_value_of_each_option(capsys, folder, tmp_path):
    for options in (["--loss", "svm"], ["--dtype", "float32"], ["--penalize-intercept"]):
        code, *_ = run(
            capsys, "fit", folder / "sold.csv", "--one-hot", "--maxfun", 300, *options,
            "--save", tmp_path / "m",
        )  # fmt: skip
        assert code == 0
        found = predictions(capsys, tmp_path / "m.npz", folder / "sold-rows.csv")
        assert {row["prediction"] for row in found} == {"ja", "nein"}
    assert bool(np.load(tmp_path / "m.npz")["penalize_intercept"])


def test_rows_from_standard_input(capsys, folder, monkeypatch):
    from mdbopt.cli import _reading

    monkeypatch.setattr(_reading, "STANDARD_INPUT", str(folder / "sold-rows.csv"))
    assert len(predictions(capsys, folder / "sold.npz", "-")) == 80


ERRORS = [
    (["none.npz", "sold.csv"], "none.npz: no such file"),
    ([".", "sold.csv"], "is a directory, expected a model"),
    (["sold.csv", "sold.csv"], "is not a model that this version of mdbopt fit --save has written"),
    (["old.npz", "sold.csv"], "is not a model that this version"),
    (["sold.npz", "none.csv"], "none.csv: no such file"),
    (["sold.npz", "price.csv", "--probabilities", "--sep", "xx"], "sep is 'xx'"),
    (["price.npz", "price.csv", "--probabilities"], "--probabilities: a model of squares has none"),
    (["sold.npz", "short.csv"], "has no column 'fuel'"),
    (["sold.npz", "wide.csv"], "has 6 columns beside the target, expected 3 as in the fit"),
    (["sold.npz", "sold.csv", "--output", "sold.csv"], "--output: sold.csv is a file that is read"),
    (["sold.npz", "sold.csv", "--output", "sold.npz"], "--output: sold.npz is a file that is read"),
    (["sold.npz", "sold.csv", "--output", "no/o.csv"], "--output: there is no directory no"),
    (["sold.npz"], "required: DATA (see mdbopt predict --help)"),
    (["sold.npz", "sold.csv", "--prob"], "perhaps --probabilities is meant"),
]


@pytest.mark.parametrize(("args", "words"), ERRORS, ids=lambda value: str(value)[:60])
def test_errors_take_one_line(capsys, folder, monkeypatch, args, words):
    monkeypatch.chdir(folder)
    np.savez("old.npz", weights=np.zeros(3), loss="logistic")
    (folder / "short.csv").write_text("size,age\n1,2\n")
    (folder / "wide.csv").write_text("1,gas,3,4,5,6\n")
    before = {path: path.stat().st_size for path in folder.iterdir()}
    code, out, err = run(capsys, "predict", *args)
    assert (code, out) == (2, "")
    assert err.startswith("mdbopt: error: ")
    assert err.count("\n") == 1
    assert words in err
    assert {path: path.stat().st_size for path in folder.iterdir()} == before


def test_pandas_is_asked_for_by_its_extra(capsys, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    code, _, err = run(capsys, "predict", folder / "sold.npz", folder / "sold.csv")
    assert code == 2
    assert "pip install 'mdbopt[data]'" in err
