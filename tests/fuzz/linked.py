"""Modules that are linked into the program are found before what is installed, in packages as well."""

import importlib.machinery
import sys


class Finder:
    """Finds by the whole name: some releases of Python look for such modules outside packages only."""

    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.BuiltinImporter.find_spec(name)


def install():
    """Find them from now on."""
    sys.meta_path.insert(0, Finder())
