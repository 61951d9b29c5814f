"""A stop signal ends a wait wherever it arrives."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Another thread signals the process at random moments of a wait, 300 times.
WAITS = """
import os, random, signal, threading, time
from imgproc.core.process import stop_on_signals

def send():
    time.sleep(random.random() / 1000)
    os.kill(os.getpid(), signal.SIGTERM)

for _ in range(300):
    stop = stop_on_signals()
    threading.Thread(target=send).start()
    while not stop.wait(0):
        pass
print("ended")
"""


@pytest.mark.exhaustive
def test_a_signal_in_the_middle_of_a_wait_ends_it() -> None:
    """`threading.Event` would deadlock: its handler waits for a lock that the interrupted wait holds."""
    done = subprocess.run([sys.executable, "-c", WAITS], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "ended\n"
