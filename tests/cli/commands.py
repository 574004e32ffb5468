"""The command line as tests run it: in this process, or as a command of its own."""

import json
import subprocess
import sys

from mdbopt import cli


def run(capsys, *args):
    code = cli.main([str(arg) for arg in args])
    return code, *capsys.readouterr()


def fit_json(capsys, *args):
    code, out, _ = run(capsys, "fit", *args, "--json")
    assert code == 0
    return json.loads(out)


def command(*args, **options):
    return subprocess.run(
        [sys.executable, "-m", "mdbopt", *map(str, args)],
        capture_output=True, text=True, check=False, timeout=120, **options,
    )  # fmt: skip
