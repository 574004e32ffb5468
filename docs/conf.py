"""How Sphinx makes the site of these pages: `make docs`."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import mdbopt

ROOT = Path(__file__).resolve().parent.parent

project = "mdbopt"
author = "mdbopt developers"
copyright = "mdbopt developers"
version = release = mdbopt.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinxcontrib.programoutput",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["conf.py", "make_pictures.py"]
if importlib.util.find_spec("jax") is None:  # its calls are compiled with the headers of jaxlib
    exclude_patterns.append("reference/jax.md")

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# The adapters are read without the frameworks that they are for.
autodoc_mock_imports = ["cupy", "jax", "jaxlib", "mpi4py", "optax", "optimagic", "torch"]
autodoc_typehints = "none"  # the docstrings say more
autodoc_member_order = "alphabetical"
numpydoc_show_class_members = False
numpydoc_use_plots = False
autosummary_generate = False
default_role = "any"  # `minimize` in a docstring is a link where there is such a thing
# Names that docstrings set in single backticks and that stand on no page.
suppress_warnings = ["ref.any", "myst.header", "toc.excluded"]

html_theme = "furo"
html_title = f"mdbopt {release}"
html_static_path: list[str] = []
html_show_copyright = False

# What pages point at outside of this folder, and the pages that show it to readers of the site.
SHOWN = {
    "../bench/README.md": "benchmarks.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../CHANGELOG.md": "changelog.md",
    "../examples/cpp": "reference/examples.md",
}
CODE = re.compile(r"(``.*?``|`[^`]+`)|\||(?<=\w)_(?!\w)")
LINK = re.compile(r"\]\((\.\./(?:\.\./)*)([^)#\s]+)(#[^)\s]*)?\)")


def point_inside(app: Any, page: str, source: list[str]) -> None:
    """Turn links out of docs/ into links to the pages that show what they point at."""
    up = "../" * page.count("/")

    def replaced(found: re.Match[str]) -> str:
        outside = found[1].removeprefix(up) + found[2]
        if outside.startswith("../examples/") and outside.endswith(".py"):
            shown: str | None = "reference/examples.md"
        else:
            shown = SHOWN.get(outside)
        return found[0] if shown is None else f"]({up}{shown}{found[3] or ''})"

    source[0] = LINK.sub(replaced, source[0])


def point_included(app: Any, path: Path, page: str, content: list[str]) -> None:
    """Do so in what a page includes from the root, where links begin there."""
    for outside, shown in SHOWN.items():
        content[0] = content[0].replace(f"]({outside[3:]}", f"](docs/{shown}")


def escape(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Keep |x| and coef_ of docstrings, which reStructuredText would take for its own."""
    if what == "module" and "Examples" in lines:  # as a section it would be one of the page
        at = lines.index("Examples")
        lines[at : at + 2] = [".. rubric:: Examples", ""]
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...", "..", ":")):
            lines[number] = CODE.sub(lambda found: found[1] or "\\" + found[0], line)


def setup(app: Any) -> None:
    """Connect what is ours."""
    app.connect("include-read", point_included)
    app.connect("autodoc-process-docstring", escape, priority=900)  # behind numpydoc
    app.connect("source-read", point_inside)
