"""Run a script in several processes: ``python ranks.py FOLDER RANKS SCRIPT ARGUMENT...``.

What takes longest is importing PyTorch. One process does, and is forked into the ranks; what rank k
prints is in FOLDER, in k.out and k.err. The statuses of all are printed at the end.
"""

import importlib
import os
import runpy
import sys
import traceback
from pathlib import Path

import torch.distributed  # noqa: F401


def run(rank, folder, script):
    """Run a script as `python script …` does, but leave as soon as it is done.

    When the interpreter is torn down, one of gloo's threads may still free a tensor that belongs to
    Python. That aborts the process ("terminate called without an active exception",
    pytorch/pytorch#190489) after all its work is done.
    """
    os.environ["RANK"] = str(rank)
    for descriptor, kind in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / f"{rank}.{kind}", os.O_WRONLY | os.O_CREAT), descriptor)
    status = 0
    try:
        runpy.run_path(script, run_name="__main__")
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def main():
    folder, ranks, *sys.argv = sys.argv[1:]
    script = Path(sys.argv[0])
    sys.path[0] = str(script.parent)
    importlib.import_module(script.stem)  # for what it imports
    pids = []
    for rank in range(int(ranks)):
        pid = os.fork()
        if pid == 0:
            run(rank, Path(folder), str(script))
        pids.append(pid)
    print(*(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids))


if __name__ == "__main__":
    main()
