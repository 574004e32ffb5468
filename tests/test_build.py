"""What the build promises: include arrows, no leaked vector code, one version."""

import os
import re
import shutil
import subprocess
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"

# Who may include whom, by file stem; the files of rules, search, update and bind share the name of
# their folder, and what is installed has angle brackets.
API = {"<description>", "<dtype>", "<error>", "<launch>", "<tensor>"}
HOST = API | {"backend", "layout", "fold"}
ARROWS = {
    "half": {"fold"},
    "power": {"fold"},
    "rule": {"<description>", "fold", "<dtype>", "half"},
    "rules/": {"power", "rule", "rules/"},
    "rules": {"rules/"},
    "<dtype>": set(),
    "<description>": {"<dtype>"},
    "<execution>": {"<tensor>"},
    "<launch>": {"<description>", "<execution>", "<tensor>"},
    # A penalty is a number or an array.
    "<options>": {"<execution>", "<launch>", "<reducer>", "<tensor>"},
    "<reducer>": set(),
    "<search>": {"<options>", "<tensor>"},
    "<updater>": {"<launch>", "<reducer>", "<tensor>"},
    "<by_name>": {"<launch>", "<tensor>"},
    "<optimizer>": {"<by_name>", "<updater>"},
    "nearest": set(),
    "fold": {"<description>"},
    "flush": set(),
    "<error>": set(),
    "<tensor>": {"<dtype>", "<error>"},
    "block_codes": {"half"},
    "remainder": {"half"},
    "format": {"<dtype>", "fold"},
    "formats": {"block_codes", "fold", "format", "half", "remainder", "rule"},
    "layout": {"<dtype>", "format", "half"},
    "opening": {"backend", "block_codes", "fold", "format", "layout"},
    "backend": {"<launch>", "rule", "<dtype>", "fold", "format", "layout", "<tensor>", "<error>"},
    "phase": {"rule", "<dtype>", "half"},
    "group_sum": {"fold"},
    "sweep": {"rule", "backend", "<dtype>", "half", "phase", "tail", "halves"},
    "tail": {"<description>", "fold", "phase"},
    "halves": {"<launch>", "backend", "fold", "formats", "half", "phase"},
    "backend_": {"formats", "rules", "sweep"},
    # The list of rules, for their descriptions; no rule by name.
    "backends": HOST | {"nearest", "rules"},
    "pool": HOST | {"pool"},
    "check": HOST | {"check"},
    "ahead": {"<description>", "<launch>", "block_codes", "layout"},
    "finisher": HOST - {"layout"},
    "by_name": {"<by_name>", "<error>", "check", "launch"},
    "program": {"backend", "group_sum"},
    "device": HOST - {"fold"} | {"<execution>", "program"},
    "launch": HOST
    | {"<execution>", "half", "pool", "ahead", "finisher", "flush", "device", "opening"}
    | {"reduction"},
    "messages": {"<error>", "<reducer>"},
    "reduction": {"<error>", "<launch>", "<reducer>", "fold", "messages"},
    "partition": {"<execution>", "group_sum", "device", "launch", "pool", "reduction"},
    "runner": {"<execution>", "program", "launch", "partition"},
    # Its decisions give walks their numbers by the rules' own prepare.
    "search/": HOST
    | {"<options>", "<search>"}
    | {"<execution>", "check", "program", "group_sum", "launch", "device", "partition", "runner"}
    | {"reduction", "rules", "search/"},
    "update/": HOST
    | {"<optimizer>", "<updater>"}
    | {"check", "finisher", "half", "launch", "device", "power", "reduction", "update/"},
    "bind/": HOST - {"backend", "fold"}
    | {"<options>", "<reducer>", "<updater>"}
    | {"block_codes", "check", "format", "half", "launch", "device", "opening", "reduction"}
    | {"search/", "update/", "bind/"},
}


def node(path: Path) -> str:
    """Name the box of the include diagram that a file under csrc/ belongs to."""
    inner = path.relative_to(CSRC)
    if inner.parts[0] == "include":
        return f"<{inner.stem}>"
    if inner.parts[0] in ("base", "engine", "runtime") or inner == Path("rules/rules.h"):
        return "backend_" if inner.stem.startswith("backend_") else inner.stem
    return f"{inner.parts[0]}/"


def includes(path: Path) -> list[Path]:
    """List the project's own headers that a file includes."""
    names = re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE)
    names += [
        f"{CSRC}/include/mdbopt/{name}"
        for name in re.findall(
            r"^\s*#\s*include\s+<mdbopt/([^>]+)>", path.read_text(), re.MULTILINE
        )
    ]
    return [
        next((p for p in ((path.parent / n).resolve(), CSRC / n) if p.is_file()), path.parent / n)
        for n in names
    ]


def sources() -> list[Path]:
    files = sorted([*CSRC.rglob("*.h"), *CSRC.rglob("*.cpp")])
    if not files:
        pytest.skip("no csrc/ beside the tests")
    return files


def test_include_arrows():
    wrong = []
    for path in sources():
        for header in includes(path):
            where = path.relative_to(CSRC)
            if not header.is_relative_to(CSRC):
                wrong.append(f"{where} includes {header}, outside csrc/")
            elif path.stem != header.stem and node(header) not in ARROWS.get(node(path), set()):
                wrong.append(f"{where} includes {header.relative_to(CSRC)}")
    assert not wrong, "\n".join(wrong)


def test_no_include_goes_round():
    graph = {box: ARROWS[box] - {box} for box in ARROWS}
    TopologicalSorter(graph).prepare()  # raises CycleError, naming the boxes


def libraries() -> list[Path]:
    """Find the core's static library in the places where `make` and pip build it."""
    chosen = os.environ.get("MDBOPT_BUILD_DIR")
    folders = (
        [Path(chosen)] if chosen else [ROOT / "build" / n for n in ("release", "debug", "python")]
    )
    return [lib for folder in folders if (lib := folder / "libmdbopt_core.a").is_file()]


# Clang puts it in every object; it calls std::terminate and has no arithmetic to vectorise.
HARMLESS = {"__clang_call_terminate"}


def leaks(listing: str) -> list[str]:
    """List the shared text symbols of an instruction-set object outside its namespace.

    The linker keeps one copy of such a symbol for the whole program, and this one may need a
    processor that the machine does not have.
    """
    found, isa = [], None
    for line in listing.splitlines():
        if member := re.fullmatch(r"(?:.*[(/])?(\S+\.o)\)?:", line):
            match = re.match(r"backend_(avx2|avx512)\.", member[1])
            isa = match and f"{len(match[1])}{match[1]}"
        elif isa and (symbol := re.fullmatch(r"[0-9a-fA-F]*\s+[TWVui]\s+(\S+)", line)):
            is_data = re.search(r"\s[Vu]\s", line) is not None
            if not is_data and isa not in symbol[1] and symbol[1] not in HARMLESS:
                found.append(symbol[1])
    return found


def test_no_vector_code_leaks():
    if shutil.which("nm") is None:
        pytest.skip("nm (binutils) is not installed")
    found = libraries()
    if not found:
        pytest.skip("no libmdbopt_core.a: run `make test`, or set MDBOPT_BUILD_DIR")
    for library in found:
        command = ["nm", "--defined-only", "--extern-only", str(library)]
        listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        if "backend_" not in listing:
            pytest.fail(f"{library} has no object of a backend")
        assert leaks(listing) == [], library.relative_to(ROOT)


def test_leaks_are_seen():
    listing = """
backend_baseline.cpp.o:
0000000000000000 W _ZSt4sqrtf

backend_avx512.cpp.o:
0000000000000000 T _ZN6mdbopt6avx5125sweepEv
0000000000000000 W _ZSt4sqrtf
0000000000000000 V DW.ref.__gxx_personality_v0
"""
    assert leaks(listing) == ["_ZSt4sqrtf"]


def test_one_version():
    text = (ROOT / "pyproject.toml").read_text()
    declared = re.search(r'^version = "(.+)"$', text, re.MULTILINE)[1]
    import mdbopt

    assert f"\nversion: {declared}\n" in (ROOT / "CITATION.cff").read_text()
    assert version("mdbopt") == declared
    assert mdbopt.__version__ == declared
    for library in libraries():
        cache = (library.parent / "CMakeCache.txt").read_text()
        assert f"CMAKE_PROJECT_VERSION:STATIC={declared}\n" in cache, library.parent.relative_to(
            ROOT
        )
