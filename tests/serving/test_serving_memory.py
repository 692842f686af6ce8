"""The memory of a large request goes back to the system once it is answered."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

import serving

# Freed arrays below one that stays: glibc would by default keep them for the next, all 200 MB.
CODE = """
import numpy as np
from serving.main import give_back_freed_memory
if {first}: give_back_freed_memory()
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
before = resident()
large = np.ones(30_000_000, np.uint8)
del large  # from now on glibc would no longer map arrays of this size by themselves
arrays = [np.ones(20_000_000, np.uint8) for _ in range(10)]
stays = np.ones(100_000, np.uint8)
del arrays
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")
@pytest.mark.parametrize("first", [True, False])
def test_freed_memory_goes_back(first):
    process = subprocess.run(
        [sys.executable, "-c", CODE.format(first=first)],
        cwd=Path(serving.__file__).parents[1],
        check=True,
        capture_output=True,
        text=True,
    )
    kept = float(process.stdout)
    assert kept < 20 if first else kept > 100
