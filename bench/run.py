"""All benches with moderate settings, a few minutes: what `make bench` runs.

Kernels, updates, solvers and the time of a step always; the comparisons on data when their folders
are given (--data and --reference, or their environment variables), which nothing here downloads.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import _common

HERE = pathlib.Path(__file__).resolve().parent
BENCHES = {
    "measure": [HERE / "measure.py", "--threads", "1,all"],
    "overhead": [HERE / "overhead.py", "--sizes", "1e3,1e4,1e5,1e6", "--rounds", "3"],
}
ON_DATA = {"estimators": [HERE / "estimators.py"], "paths": [HERE / "paths.py"]}
BESIDE_REFERENCE = {
    "authors_code": [HERE / "authors_code.py"],
    "against_lbfgsb": [HERE / "against_lbfgsb.py", "--dtype", "float32"],
}


def main() -> None:
    """Read the command line and run each bench in a process of its own."""
    parser = _common.parser(__doc__, data=True, reference=True)
    parser.add_argument("--out", metavar="DIR", help="write <bench>.json files there")
    args = parser.parse_args()
    wanted = dict(BENCHES)
    data, reference = ["--data", args.data], ["--reference", args.reference]
    if args.data:
        wanted |= {name: [*command, *data] for name, command in ON_DATA.items()}
    if args.data and args.reference:
        wanted |= {
            name: [*command, *data, *reference] for name, command in BESIDE_REFERENCE.items()
        }
    _common.print_machine()
    folder = pathlib.Path(args.out or tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    spent = {}
    for name, command in wanted.items():
        output = ["--json", os.fspath(folder / f"{name}.json")]
        print(f"--- {name}", flush=True)
        begin = time.perf_counter()
        done = subprocess.run([sys.executable, *map(os.fspath, command), *output])
        spent[name] = round(time.perf_counter() - begin, 1)
        if done.returncode != 0:
            sys.exit(done.returncode)
        print(flush=True)
    if not (args.data and args.reference):
        print(
            "Comparisons on data were left out: give --data and --reference, or set "
            f"{_common.DATA_VARIABLE} and {_common.REFERENCE_VARIABLE} (bench/README.md)."
        )
    print("seconds: " + ", ".join(f"{name} {value:g}" for name, value in spent.items()))
    collected = {name: json.loads((folder / f"{name}.json").read_text()) for name in wanted}
    _common.write_json(args.json, {"seconds": spent, **collected})
    if not args.out:
        shutil.rmtree(folder)


if __name__ == "__main__":
    _common.run_main(main)
