"""Where there is no room, making a state or a step raises MemoryError; the process goes on."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import mdbopt


def limited(body):
    code = f"""
    import resource
    import numpy as np, mdbopt
    x = np.zeros(1 << 24, np.float32)
    optimizer = mdbopt.AdamW()
    small = np.zeros(3, np.float32)
    state = optimizer.init(small)
    assert optimizer.step(small, small.copy(), state)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 24), used + (1 << 24)))
    def refused(make):
        try:
            make()
        except MemoryError:
            return True
    {textwrap.indent(textwrap.dedent(body), "    ").strip()}
    assert optimizer.step(small, small.copy(), state)
    print("went on")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "went on\n", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="limits its own address space")
def test_there_is_no_room_for_a_state():
    limited(
        """
        assert refused(lambda: optimizer.init(x))
        assert refused(lambda: optimizer.restore([x], {"m": x}))
        """
    )


def test_a_state_that_no_machine_holds():
    x = np.broadcast_to(np.float32(0), (10**15,))
    with pytest.raises(MemoryError):
        mdbopt.AdamW().init(x)
