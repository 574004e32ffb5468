"""docs/cpp.md and the tutorial show what stands in examples/cpp, and all headers installed."""

import math
import re
from pathlib import Path

import pytest

from mdbopt import _core

ROOT = Path(__file__).resolve().parent.parent
HEADERS = sorted((ROOT / "csrc/include/mdbopt").glob("*.h"))
PAGE = (ROOT / "docs/cpp.md").read_text(encoding="utf-8")
TUTORIAL = (ROOT / "docs/tutorials/cpp.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```cpp\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(PAGE) + BLOCK.findall(TUTORIAL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_blocks_stand_in_an_example(number):
    programs = [path.read_text(encoding="utf-8") for path in (ROOT / "examples/cpp").glob("*.cpp")]
    assert any(BLOCKS[number] in program for program in programs), BLOCKS[number]


def test_the_three_programs_are_shown():
    assert len(BLOCKS) >= 6
    for name in ("logistic", "adamw", "norm"):
        assert f"`{name}.cpp`" in PAGE


def test_the_page_lists_the_updates():
    of_a_step = ("t", "grad_scale")

    def scalar(name, default):
        return f"`{name}`" if math.isnan(default) else f"`{name}` {default:g}"

    for rule in _core.rules():
        if rule["update"]:
            state = ", ".join(f"`{name}`" for name, *_ in rule["streams"][2:])
            scalars = [scalar(*each) for each in rule["scalars"] if each[0] not in of_a_step]
            assert f"| `{rule['name']}` | {state} | {', '.join(scalars)} |" in PAGE


def test_the_page_says_where_states_start():
    streams = {name for r in _core.rules() if r["update"] for name, *_ in r["streams"][2:]}
    sentence = re.search(r"^State begins at 0 but for these: (.*)\.$", PAGE, re.MULTILINE)[1]
    parameters, ones = sentence.split(" are the parameters, ")
    assert {name for name in streams if _core.state_start(name) is None} == set(
        re.findall(r"`(\w+)`", parameters)
    )
    assert {name for name in streams if _core.state_start(name) == 1.0} == set(
        re.findall(r"`(\w+)`", ones)
    )
    assert {_core.state_start(name) for name in streams} == {None, 0.0, 1.0}


def test_the_page_lists_the_headers():
    assert {f"<mdbopt/{path.name}>" for path in HEADERS} == set(
        re.findall(r"<mdbopt/\w+\.h>", PAGE)
    )


@pytest.mark.parametrize("path", HEADERS, ids=lambda path: path.name)
def test_installed_headers_include_installed_ones_only(path):
    included = re.findall(r'#include ("[^"]+"|<mdbopt/[^>]+>)', path.read_text(encoding="utf-8"))
    assert set(included) <= {f"<mdbopt/{other.name}>" for other in HEADERS}
