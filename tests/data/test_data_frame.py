"""Text as Excel, R, pandas, UCI and spreadsheets of the world write it: one row each."""

import bz2
import gzip
import lzma
import warnings

import numpy as np
import pytest

from mdbopt import data

pd = pytest.importorskip("pandas")
pytestmark = pytest.mark.filterwarnings("error")

AB = ["a", "b"]
ROWS = ([[1.5, 2.0], [3.5, 4.0]], [7, 8])
FRACTIONS = "0.5,0.25,0.1\n0.75,0.5,0.2\n"
DIALECTS = {
    "header of years": ("1990,2000,y\n1.5,2,7\n3.5,4,8\n", {}, ROWS, ["1990", "2000"]),
    "header of pandas": ("0,1,2\n1.5,2,7\n3.5,4.0,8.5\n", {},
                         ([[1.5, 2], [3.5, 4]], [7, 8.5]), ["0", "1"]),
    "index of pandas": (",a,b,y\n0,1.5,2,7\n1,3.5,4,8\n", {}, ROWS, AB),
    "index and header of pandas": (",0,1,2\n0,1.5,2,7\n1,3.5,4,8\n", {}, ROWS, ["0", "1"]),
    "index of a part": (",a,b,y\n17,1.5,2,7\n4,3.5,4,8\n", {}, ROWS, AB),
    "index saved twice": (",Unnamed: 0,a,b,y\n0,0,1.5,2,7\n1,1,3.5,4,8\n", {}, ROWS, AB),
    "R, write.csv": ('"","a","b","y"\n"1",1.5,2,7\n"2",3.5,4,8\n', {}, ROWS, AB),
    "R, names of rows": ('"","a","b","y"\n"Mazda RX4",1.5,2,7\n"Fiat",3.5,4,8\n', {}, ROWS, AB),
    "R, write.table": ('"a" "b" "y"\n"Mazda RX4" 1.5 2 7\n"2" 3.5 4 8\n', {}, ROWS, AB),
    "quoted line break": ('a,"b\nmore",y\n1.5,2,7\n3.5,4,8\n', {}, ROWS, ["a", "b\nmore"]),
    "quoted line break below": ('a,b,y\n1.5,"2\n",7\n3.5,4,8\n', {}, ROWS, AB),
    "quoted fields": ('"a, or not","b ""x""","y"\n"1.5","2","7"\n"3.5","4","8"\n', {}, ROWS,
                      ["a, or not", 'b "x"']),
    "decimal commas": ("a;b;y\n1,5;2;7\n3,5;4;8\n", {}, ROWS, AB),
    "decimal commas, no header": ("1,5;2;7\n3,5;4;8\n", {}, ROWS, ["x0", "x1"]),
    "decimal commas throughout": ("1,5;2,0;7,5\n3,5;4,0;8,25\n", {},
                                  ([[1.5, 2], [3.5, 4]], [7.5, 8.25]), ["x0", "x1"]),
    "decimal commas, tabs": ("a\tb\ty\n1,5\t2\t7\n3,5\t4\t8\n", {}, ROWS, AB),
    "decimal commas, quoted": ('a,b,y\n"1,5",2,7\n"3,5",4,8\n', {}, ROWS, AB),
    "decimal commas, exponents": ("a;b;y\n1,5e0;2;7\n35,0e-1;4;8\n", {}, ROWS, AB),
    "decimal commas, asked for": ("a;b;y\n1,500;2,000;7\n3,500;4,000;8\n", {"decimal": ","},
                                  ([[1.5, 2], [3.5, 4]], [7, 8]), AB),
    "thousands, asked for": ("a;b;y\n1,500;2;7\n3,500;4;8\n", {"thousands": ","},
                             ([[1500, 2], [3500, 4]], [7, 8]), AB),
    "German thousands": ("a;b;y\n1.500,5;2;7\n3.500,0;4;8\n", {"thousands": "."},
                         ([[1500.5, 2], [3500, 4]], [7, 8]), AB),
    "Excel's sep=;": ("sep=;\na;b;y\n1.5;2;7\n3.5;4;8\n", {}, ROWS, AB),
    "Excel's sep=,": ('"sep=,"\r\na,b,y\r\n1.5,2,7\r\n3.5,4,8\r\n', {}, ROWS, AB),
    "sep= a tab": ("sep=\t\na\tb\ty\n1.5\t2\t7\n3.5\t4\t8\n", {}, ROWS, AB),
    "asked for a bar": ("a|b|y\n1.5|2|7\n3.5|4|8\n", {"sep": "|"}, ROWS, AB),
    "an odd delimiter": ("a^b^y\n1.5^2^7\n3.5^4^8\n", {"sep": "^"}, ROWS, AB),
    "asked for whitespace": ("a b  y\n1.5   2 7\n3.5 4 8\n", {"sep": "whitespace"}, ROWS, AB),
    "asked for a space": ("a b  y\n1.5   2 7\n3.5 4 8\n", {"sep": " "}, ROWS, AB),
    "asked for a tab": ("a\tb\ty\n1.5\t2\t7\n3.5\t4\t8\n", {"sep": "tab"}, ROWS, AB),
    "CRLF": ("a,b,y\r\n1.5,2,7\r\n3.5,4,8\r\n", {}, ROWS, AB),
    "CR": ("a,b,y\r1.5,2,7\r3.5,4,8\r", {}, ROWS, AB),
    "no line break at the end": ("a,b,y\n1.5,2,7\n3.5,4,8", {}, ROWS, AB),
    "blank lines": ("\n\na,b,y\n\n1.5,2,7\n\n3.5,4,8\n\n", {}, ROWS, AB),
    "trailing delimiters": ("a,b,y,\n1.5,2,7,\n3.5,4,8,\n", {}, ROWS, AB),
    "trailing delimiters below": ("a,b,y\n1.5,2,7,\n3.5,4,8,\n", {}, ROWS, AB),
    "trailing delimiters, no header": ("1.5;2;7;\n3.5;4;8;\n", {}, ROWS, ["x0", "x1"]),
    "spaces about cells": (" a , b , y \n 1.5 , 2 ,7 \n3.5,4 , 8\n", {}, ROWS, AB),
    "the same name twice": ("a,a,y\n1.5,2,7\n3.5,4,8\n", {}, ROWS, ["a", "a.1"]),
    "the same name again and again": ("a,a,a.1,a,y\n1,2,3,4,7\n3,4,5,6,8\n", {},
                                      ([[1, 2, 3, 4], [3, 4, 5, 6]], [7, 8]),
                                      ["a", "a.2", "a.1", "a.3"]),
    "a name is missing": ("a,,y\n1.5,2,7\n3.5,4,8\n", {}, ROWS, ["a", "Unnamed: 1"]),
    "no header": ("1.5,2,7\n3.5,4,8\n", {}, ROWS, ["x0", "x1"]),
    "counting rows are no header": ("0,1,2\n3,4,5\n6,7,8\n", {},
                                    ([[0, 1], [3, 4], [6, 7]], [2, 5, 8]), ["x0", "x1"]),
    "whole rows are no header": ("1,2,7\n3.5,4,8\n", {}, ([[1, 2], [3.5, 4]], [7, 8]),
                                 ["x0", "x1"]),
    "header, asked for": ("3,1,4\n1.5,2,7\n3.5,4,8\n", {"header": True}, ROWS, ["3", "1"]),
    "header=0 of pandas": ("3,1,4\n1.5,2,7\n3.5,4,8\n", {"header": 0}, ROWS, ["3", "1"]),
    "header='infer' of pandas": ("a,b,y\n1.5,2,7\n3.5,4,8\n", {"header": "infer"}, ROWS, AB),
    "header=None of pandas": ("0,1,2\n0.5,0.25,0.1\n", {"header": None},
                              ([[0, 1], [0.5, 0.25]], [2, 0.1]), ["x0", "x1"]),
    "numbers and words, target named": ("5,10,y\n1.5,2,cat\n3.5,4,cat\n", {"target": "y"},
                                        ([[1.5, 2], [3.5, 4]], ["cat", "cat"]), ["5", "10"]),
    "savetxt's header": ("# a b y\n1.5 2 7\n3.5 4 8\n", {}, ROWS, AB),
    "comments above": ("# made by hand\n# on Monday, at 5\n1.5,2,7\n3.5,4,8\n", {}, ROWS,
                       ["x0", "x1"]),
    "exponents and signs": ("a,b,y\n+15e-1,2E0,7\n3.5,.4e1,8\n", {}, ROWS, AB),
}  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects(name, tmp_path):
    text, options, (X, y), names = DIALECTS[name]
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    table = data.load(path, **options)
    np.testing.assert_array_equal(table.X, X)
    np.testing.assert_array_equal(table.y, y)
    assert list(table.feature_names) == list(names)


@pytest.mark.parametrize(
    "codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_encodings(codec, tmp_path):
    text = "größe;b;y\r\n1,5;2;7\r\n3,5;4;8\r\n"
    mark = "\ufeff" if codec in ("utf-16-le", "utf-16-be") else ""
    path = tmp_path / "t.csv"
    path.write_bytes((mark + text).encode(codec))
    table = data.load(path, **({"encoding": "cp1252"} if codec == "cp1252" else {}))
    assert list(table.feature_names) == ["größe", "b"]
    np.testing.assert_array_equal(table.X, ROWS[0])


def test_the_advice_on_encodings_works(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("größe,y\n1,2\n".encode("cp1252"))
    with pytest.raises(ValueError, match=r"not UTF-8 text: .*; encoding='cp1252' reads"):
        data.load(path)
    assert list(data.load(path, encoding="cp1252").feature_names) == ["größe"]
    path.write_bytes("a,y\n1,2\n".encode("utf-16-le"))
    with pytest.raises(ValueError, match="text of another encoding, such as 'utf-16'"):
        data.load(path)
    with pytest.raises(ValueError, match="encoding 'latin-99' is unknown"):
        data.load(path, encoding="latin-99")


@pytest.mark.parametrize(
    "name", ["t.csv", "t.TSV", "t.tab", "t.data", "t.dat", "t.txt", "t", "t.tsv.gz", "t.csv.bz2"]
)
def test_endings(name, tmp_path):
    sep = "\t" if "t.t" in name.lower() else ","
    text = "a,b c,y\n1.5,2,7\n3.5,4,8\n".replace(",", sep).encode()
    pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    path = tmp_path / name
    path.write_bytes(pack.get(name.rpartition(".")[2], bytes)(text))
    table = data.load(path)
    assert list(table.feature_names) == ["a", "b c"]
    np.testing.assert_array_equal(table.X, ROWS[0])
    assert table.name == "t"


# The first rows of tables of the UCI repository; none has a header.
UCI = {
    "adult.data": (
        "39, State-gov, 77516, 13, <=50K\n50, Private, 8, 13, <=50K\n53, State-gov, 1, 7, >50K\n",
        3, ["<=50K", "<=50K", ">50K"],
    ),
    "agaricus-lepiota.data": ("p,x,s\ne,x,s\ne,b,s\np,x,y\n", 4, ["s", "s", "s", "y"]),
    "car.data": (
        "vhigh,2,small,unacc\nvhigh,2,med,unacc\nhigh,5more,med,acc\nvhigh,3,small,unacc\n",
        4, ["unacc", "unacc", "acc", "unacc"],
    ),
    "iris.data": (
        "5.1,3.5,1.4,0.2,Iris-setosa\n4.9,3.0,1.4,0.2,Iris-setosa\n7.0,3.2,4.7,1.4,Iris-versicolor\n",
        3, ["Iris-setosa", "Iris-setosa", "Iris-versicolor"],
    ),
    "seeds.txt": ("15.26\t14.84\t\t1\n14.88\t14.57\t\t1\n", 2, [1, 1]),
    "housing.data": (" 0.00632  18.00  2.31  24.0\n 0.02731   0.00  7.070  21.60\n", 2, [24, 21.6]),
}  # fmt: skip


@pytest.mark.parametrize("name", UCI)
def test_tables_of_uci(name, tmp_path):
    text, rows, y = UCI[name]
    path = tmp_path / name
    path.write_text(text)
    options = {"sep": "whitespace"} if name == "seeds.txt" else {}
    table = data.load(path, one_hot=True, **options)
    assert table.X.shape[0] == rows
    assert table.y.tolist() == y


def test_what_pandas_writes_is_read_back(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((30, 4)))
    named = frame.set_axis(["a", "b", "c", "y"], axis=1)
    whole = frame.assign(**{"3": rng.integers(0, 3, 30)}).drop(columns=3)
    for case in (frame, named, whole):
        for options in ({}, {"index": False}, {"sep": ";", "decimal": ","}, {"sep": "\t"},
                        {"encoding": "utf-16"}, {"quoting": 1}, {"lineterminator": "\r\n"},
                        {"index": False, "quoting": 2}):  # fmt: skip
            path = tmp_path / "t.csv"
            case.to_csv(path, **options)
            table = data.load(path)
            np.testing.assert_array_equal(table.X, case.iloc[:, :-1])
            np.testing.assert_array_equal(table.y, case.iloc[:, -1])
            assert list(table.feature_names) == [str(name) for name in case.columns[:-1]]
    shuffled = named.sample(frac=0.5, random_state=1)
    shuffled.to_csv(path)
    np.testing.assert_array_equal(data.load(path).X, shuffled.iloc[:, :-1])


def test_a_column_without_a_name_is_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(",a,y\n0,1,2\n1,3,4\n")
    assert "the first column, which has no name" in data.load(path).note
    path.write_text("b,a,y\n0,1,2\n1,3,4\n")
    assert data.load(path).note == ""


def test_a_comma_with_two_readings_is_refused_and_the_advice_works(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;y\n1,234;1\n5,678;2\n")
    with pytest.raises(ValueError, match=r"'1,234' has two readings: decimal=','.* thousands=','"):
        data.load(path)
    assert data.load(path, decimal=",").X.tolist() == [[1.234], [5.678]]
    assert data.load(path, thousands=",").X.tolist() == [[1234], [5678]]


def test_decimal_commas_and_points_in_one_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b;y\n1,5;1.500;1\n2,5;2.500;2\n")
    with pytest.raises(ValueError, match=r"has decimal commas .'1,5'. and, in column 'b', points"):
        data.load(path)
    assert data.load(path, decimal=",", thousands=".").X.tolist() == [[1.5, 1500], [2.5, 2500]]
    path.write_text("a;y\n1,5;1.234,50\n2,5;2.000,00\n")
    with pytest.raises(ValueError, match=r"target, column 'y' holds '1.234,50' .*thousands='\.'"):
        data.load(path)
    assert data.load(path, thousands=".").y.tolist() == [1234.5, 2000]
    path.write_text("a;b;y\n1,5;1.5;1\n")
    with pytest.raises(ValueError, match=r"column 'b' holds '1.5'"):
        data.load(path, decimal=",")


@pytest.mark.parametrize(
    ("cells", "advice", "options", "value"),
    [
        ("1.234,5", r"thousands='\.' \(--thousands '\.'\)", {"thousands": "."}, 1234.5),
        ("1,234.5", r"thousands=','", {"thousands": ","}, 1234.5),
        ("1'234.5", r'thousands="\'"', {"thousands": "'"}, 1234.5),
        ("1 234.5", r"thousands=' '", {"thousands": " "}, 1234.5),
    ],
)
def test_the_advice_on_numbers_works(cells, advice, options, value, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"a;y\n{cells};1\n{cells};2\n")
    with pytest.raises(ValueError, match=f"column 'a' holds .* a number only with {advice}"):
        data.load(path)
    assert data.load(path, **options).X.tolist() == [[value], [value]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"header": "yes"}, "header is 'yes', expected 'auto', True or False"),
        ({"header": 2}, "header is 2"),
        ({"sep": ""}, "sep is '', expected one character, 'tab' or 'whitespace'"),
        ({"sep": "::"}, "sep is '::'"),
        ({"sep": "x"}, "sep is 'x'"),
        ({"decimal": "5"}, "decimal is '5', expected one character"),
        ({"thousands": ",,"}, "thousands is ',,'"),
        ({"thousands": ",", "decimal": ","}, "decimal and thousands are both ','"),
        ({"missing": "drop"}, "missing is 'drop', expected 'error' or 'mean'"),
        ({"zero_based": "yes"}, "zero_based is 'yes', expected 'auto', True or False"),
        ({"n_features": 0}, "n_features is 0, expected at least 1"),
        ({"n_features": 4}, "n_features is for LIBSVM text; this is text with columns"),
        ({"zero_based": True}, "zero_based is for LIBSVM text"),
    ],
)
def test_bad_options(options, words, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("1,2\n3,4\n")
    with pytest.raises(ValueError, match=words):
        data.load(path, **options)


def test_digits_are_exact(tmp_path):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((200, 3)) * 10.0 ** rng.integers(-300, 300, (200, 3))
    path = tmp_path / "t.csv"
    path.write_text("\n".join(",".join(map(repr, row)) for row in X.tolist()))
    table = data.load(path)
    np.testing.assert_array_equal(np.column_stack([table.X, table.y]), X)


def test_no_warning_on_long_columns_of_mixed_words(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "1,2\n" * 60_000 + "x,3\n" * 60_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = data.load(path, one_hot=True)
    assert list(table.feature_names) == ["a=1", "a=x"]
