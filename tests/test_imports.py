"""Who imports whom inside the package: a graph without circles."""

import ast
import pathlib

import pytest

import mdbopt

PACKAGE = pathlib.Path(mdbopt.__file__).parent
# What is found when its name is asked for, by `mdbopt.__getattr__`.
LATER = set(mdbopt._LATER.values())


def modules_of(package):
    """Return the files of a package by the names of their modules: stubs for compiled ones."""
    found = {}
    for path in (*package.rglob("*.py"), *package.rglob("*.pyi")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(name, path, modules):
    """Return the modules that one names in its import statements, wherever they stand in it.

    Importing a module runs the packages that it is in, but for those that run already.
    """
    inside = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = inside.split(".")[: len(inside.split(".")) - node.level + 1]
            source = ".".join([*above, *([node.module] if node.module else [])])
            source = source if node.level else node.module
            for alias in node.names:
                below = f"{source}.{alias.name}"
                found.add(below if below in modules else source)
    for target in set(found):
        parts = target.split(".")
        packages = {".".join(parts[:k]) for k in range(1, len(parts))}
        found |= {package for package in packages if not f"{name}.".startswith(f"{package}.")}
    return {target for target in found if target in modules and target != name}


def graph_of(package):
    modules = modules_of(package)
    return {name: imported(name, path, modules) for name, path in modules.items()}


def circle_in(graph):
    """Return a circle of a graph as the modules in it, the first one again at the end, or None."""
    done = set()

    def walk(name, above):
        if name in above:
            return [*above[above.index(name) :], name]
        if name in done:
            return None
        for target in sorted(graph[name]):
            if found := walk(target, [*above, name]):
                return found
        done.add(name)
        return None

    return next((found for name in sorted(graph) if (found := walk(name, []))), None)


def test_no_circle():
    graph = graph_of(PACKAGE)
    graph["mdbopt"] |= LATER
    circle = circle_in(graph)
    assert circle is None, f"modules import each other: {' -> '.join(circle)}"


def test_the_graph_has_what_is_known():
    graph = graph_of(PACKAGE)
    assert set(graph) > LATER
    assert {"mdbopt.kernels", "mdbopt.optimizers", "mdbopt.searches"} <= graph["mdbopt"]
    assert {"mdbopt.optimizers._state", "mdbopt._arrays"} <= graph["mdbopt.optimizers._base"]
    assert "mdbopt.kernels" in graph["mdbopt.optimizers._base"]  # for what is in that package


CIRCLES = {
    "of two": ({"a": "from package import b", "b": "import package.a"}, "a -> b -> a"),
    "from a function": ({"a": "from package.b import f", "b": "def f():\n  from . import a"},
                        "a -> b -> a"),
    "with the package": ({"__init__": "from .a import f", "a": "import package"}, "package -> a"),
    "through a package": ({"part/__init__": "from ..a import f", "part/b": "", "a":
                           "from .part.b import f"}, "a -> part -> a"),
    "of types": ({"a": "from .b import f", "b": "if TYPE_CHECKING:\n  from .a import f"},
                 "a -> b -> a"),
}  # fmt: skip


@pytest.mark.parametrize(("sources", "circle"), CIRCLES.values(), ids=CIRCLES)
def test_circles_are_found(tmp_path, sources, circle):
    package = tmp_path / "package"
    for name, source in {"__init__": "", **sources}.items():
        path = package / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    found = circle_in(graph_of(package))
    assert circle in " -> ".join(found).replace("package.", "")


def test_no_circle_where_there_is_none(tmp_path):
    (tmp_path / "part").mkdir()
    for name, source in {
        "__init__": "from .part.a import f", "part/__init__": "from .a import f",
        "part/a": "from .b import f; import os", "part/b": "import numpy",
    }.items():  # fmt: skip
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    assert circle_in(graph_of(tmp_path)) is None
