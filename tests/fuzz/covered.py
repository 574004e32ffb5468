"""Which blocks of the package an input reaches: each starts with a call that counts it.

Compiled in, since Python's own tracing calls back at every line of every module.
"""

import ast
import importlib.machinery
import itertools
import sys

HIT = "__mdbopt_fuzz_hit__"  # among the builtins; the interpreter of the fuzzers puts it there
PACKAGE = "mdbopt"


class Counted(ast.NodeTransformer):
    """Puts a call in front of each block in a function, with a number of its own."""

    _numbers = itertools.count()

    def __init__(self):
        self._inside = False

    def visit_FunctionDef(self, node):
        before, self._inside = self._inside, True
        self.generic_visit(node)
        self._inside = before
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def generic_visit(self, node):
        super().generic_visit(node)
        if self._inside and not isinstance(node, ast.ClassDef):
            described = isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None
            for name in ("body", "orelse", "finalbody"):
                block = getattr(node, name, None)
                if isinstance(block, list) and block:
                    block.insert(int(described), self._call(block[0]))
        return node

    def _call(self, where):
        number = ast.Constant(next(self._numbers))
        call = ast.Expr(ast.Call(ast.Name(HIT, ast.Load()), [number], []))
        return ast.fix_missing_locations(ast.copy_location(call, where))


class Loader(importlib.machinery.SourceFileLoader):
    """Compiles a module with its calls, whatever is cached."""

    def get_code(self, fullname):
        tree = ast.parse(self.get_data(self.path), self.path)
        return compile(Counted().visit(tree), self.path, "exec", dont_inherit=True)


class Finder:
    """Finds what the others do, and loads the package's sources with calls in them."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] != PACKAGE:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                if isinstance(spec.loader, importlib.machinery.SourceFileLoader):
                    spec.loader = Loader(spec.loader.name, spec.loader.path)
                return spec
        return None


def install():
    """Count in what is imported from now on."""
    sys.meta_path.insert(0, Finder())
