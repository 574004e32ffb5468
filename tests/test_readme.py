"""The Python blocks of README.md and docs/ run as they are printed; diffs are in the files."""

import importlib.util
import re
from pathlib import Path

import pytest

import mdbopt

ROOT = Path(__file__).resolve().parent.parent
DIFF = re.compile(r"^`(?P<file>[\w./]+/[\w.]+)`[:,]|^```diff\n(?P<diff>.*?)^```$", re.M | re.S)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if BLOCK.search(page.read_text(encoding="utf-8"))
]


def blocks(page):
    """List the blocks of a page, each on the lines that it has there, for tracebacks."""
    text = page.read_text(encoding="utf-8")
    return ["\n" * text.count("\n", 0, m.start(1)) + m[1] for m in BLOCK.finditer(text)]


def lacking(source):
    """Say what this machine lacks to run a page; nothing if it can."""
    imports = {"import torch": "torch", "optimagic": "optimagic", "mdbopt.jax": "jax"}
    for library, name in imports.items():
        if library in source and importlib.util.find_spec(name) is None:
            return f"{name} is not installed"
    if 'device="cuda"' in source and not mdbopt.cuda.is_available():
        return mdbopt.cuda.why_not()
    return None


def test_the_pages_that_have_blocks_are_seen():
    assert {"README.md", "updates.md", "cuda.md"} <= {page.name for page in PAGES}
    assert len(blocks(ROOT / "README.md")) >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_run_as_printed(page, tmp_path, monkeypatch):
    found = blocks(page)
    if reason := lacking("".join(found)):
        pytest.skip(reason)
    monkeypatch.chdir(tmp_path)  # some save what they made
    names = {"__name__": "__main__"}
    for source in found:
        exec(compile(source, str(page), "exec"), names)


def test_what_the_readme_shows_comes_out(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for source in blocks(ROOT / "README.md"):
        exec(compile(source, "README.md", "exec"), names)
    assert names["res"].success
    assert names["res"].step_sizes.max() > 1e6 * names["res"].step_sizes.min()
    assert (tmp_path / "state.npz").is_file()
    assert capsys.readouterr().out.startswith("Converged: ")


@pytest.mark.parametrize(
    ("name", "least"), [("add_an_update", 10), ("add_a_proposer", 6), ("add_a_set", 6)]
)
def test_pages_on_adding_show_what_stands_in_the_files(name, least):
    if not (ROOT / "csrc").is_dir():
        pytest.skip("no csrc/ beside the tests")
    page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    text, runs = "", 0
    for found in DIFF.finditer(page):
        if found["file"]:
            text = (ROOT / found["file"]).read_text(encoding="utf-8")
            continue
        for run in re.findall(r"(?:^\+.*\n)+", found["diff"], re.MULTILINE):
            assert re.sub(r"^\+", "", run, flags=re.MULTILINE) in text
            runs += 1
    assert runs >= least
