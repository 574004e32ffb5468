"""Run a script as `python script …` does, but leave as soon as it is done.

When the interpreter is torn down, one of gloo's threads may still free a tensor that belongs to
Python. That aborts the process ("terminate called without an active exception",
pytorch/pytorch#190489) after all its work is done.
"""

import os
import runpy
import sys
import traceback
from pathlib import Path


def main():
    sys.argv = sys.argv[1:]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    status = 0
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
