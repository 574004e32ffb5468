"""wheel – how large is a wheel, and how long do its install and its first minimum take?

    python bench/wheel.py WHEEL... [--pythons PYTHON...] [--tests] [--json FILE]

Each wheel goes into an environment of its own, of the Python that it is made for, with nothing
but what it asks for. The first `minimize` runs in another folder with no program in the path: no
compiler, no CMake. With --tests, what the tests need is installed as well, and the tests but the
slow ones and those of the build run in a copy that has no sources beside it.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BESIDE = ("tests", "bench", "docs", "examples", "README.md", "pyproject.toml")
# These ask for the sources, or for what is built of them.
OF_THE_BUILD = ("test_build", "test_configure", "test_cuda_build", "test_imports", "test_cpp_page")
FIRST = """
import time
start = time.perf_counter()
import numpy, mdbopt
imported = time.perf_counter()
result = mdbopt.minimize(lambda x: (float(x @ x), 2 * x), numpy.ones(10), jac=True)
assert result.success, result
assert "site-packages" in mdbopt.__file__, mdbopt.__file__
print(imported - start, time.perf_counter() - imported)
"""
KIND = "import sys, sysconfig as s; print(sys.version_info[1], bool(s.get_config_var('{}')))"
COLUMNS = {
    "python": "8",
    "megabytes": "9.2f",
    "install_seconds": "15.1f",
    "import_seconds": "14.2f",
    "minimize_seconds": "16.3f",
}


def run(*command, **options):
    """Run a program and give what it said; where it fails, end with that."""
    command = [str(word) for word in command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"wheel.py: {' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def python_of(wheel, pythons):
    """Find the interpreter that a wheel is made for."""
    minor, abi = re.search(r"-cp3(\d+)-(cp3\d+t?)-", wheel.name).groups()
    for python in pythons:
        if run(python, "-c", KIND.format("Py_GIL_DISABLED")).split() == [minor, str("t" in abi)]:
            return python
    raise SystemExit(f"wheel.py: none of {', '.join(pythons)} is the Python of {wheel.name}")


def used_once(wheel, python, folder):
    """Install a wheel in a bare environment and use it once: its size, and seconds."""
    bare = folder / "bare/bin/python"
    run(python, "-m", "venv", folder / "bare")
    start = time.perf_counter()
    run(bare, "-m", "pip", "install", "--quiet", wheel)
    installed = time.perf_counter() - start
    said = run(bare, "-c", FIRST, cwd=folder, env={"PATH": "", "HOME": str(folder)}).split()
    return {
        "python": run(bare, "-V").split()[1],
        "megabytes": wheel.stat().st_size / 1e6,
        "install_seconds": installed,
        "import_seconds": float(said[0]),
        "minimize_seconds": float(said[1]),
        "wheel": wheel.name,
    }


def tested(wheel, folder, chosen):
    """Run tests in the environment of a wheel, away from the tree; tell whether all passed."""
    bare = folder / "bare/bin/python"
    run(bare, "-m", "pip", "install", "--quiet", f"mdbopt[test] @ {wheel.resolve().as_uri()}")
    away = folder / "away"
    away.mkdir()
    for name in BESIDE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, away / name)
    command = [bare, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "auto", *chosen]
    command += ["-m", "not slow and not gpu"]
    command += [f"--ignore=tests/{name}.py" for name in OF_THE_BUILD]
    return subprocess.run([str(word) for word in command], cwd=away, check=False).returncode == 0


def main(arguments=None):
    """Measure, print a table, and end with the wheels whose tests fail."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("wheels", nargs="+", type=Path, help="files, each for a Python of its own")
    parser.add_argument("--pythons", nargs="+", default=[sys.executable], help="to choose from")
    parser.add_argument("--tests", nargs="*", metavar="PATH", help="run these, or all of tests/")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers there")
    given = parser.parse_args(arguments)
    print("  ".join(f"{name:>{spec.partition('.')[0]}}" for name, spec in COLUMNS.items()))
    rows, failed = [], []
    for wheel in given.wheels:
        python = python_of(wheel, given.pythons)
        with tempfile.TemporaryDirectory() as folder:
            rows.append(used_once(wheel, python, Path(folder)))
            print(
                "  ".join(f"{rows[-1][name]:{spec}}" for name, spec in COLUMNS.items()), flush=True
            )
            if given.tests is not None and not tested(
                wheel, Path(folder), given.tests or ["tests"]
            ):
                failed.append(wheel.name)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))
    if failed:
        raise SystemExit(f"wheel.py: tests fail with {', '.join(failed)}")


if __name__ == "__main__":
    main()
