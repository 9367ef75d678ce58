"""What the kernel clears anew for memory that a process frees and takes again."""

import subprocess
import sys

import pytest

LARGE_AND_AGAIN = """
import resource
import numpy
{before}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
numpy.ones(10_000_000, numpy.float32)
begun = faults()
for _ in range(10):
    numpy.ones(10_000_000, numpy.float32)
print(faults() - begun)
"""


def page_faults(before: str) -> int:
    """Of taking 40 MB ten times, in a process of its own: the setting is for good."""
    script = LARGE_AND_AGAIN.format(before=before)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's setting")
def test_freed_memory_is_taken_again_without_the_kernel() -> None:
    pages = 10 * 40_000_000 // 4096
    # huge pages, where the kernel gives them, are fewer and cost as much
    given_back = page_faults("")
    kept = page_faults("from deploy_targets.memory import keep_freed; assert keep_freed().startswith('kept')")
    assert given_back > pages / 1000
    assert kept < given_back / 20
