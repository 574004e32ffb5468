"""Finds modules that are linked into the program before what is installed, in packages, too."""

import importlib.machinery
import sys


class Finder:
    """Finds by the whole name: some releases of Python find none of these inside a package."""

    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.BuiltinImporter.find_spec(name)


def install():
    """Find them from now on."""
    sys.meta_path.insert(0, Finder())
