"""The program that `keep_jpeg` runs: encodes the coefficients of a JPEG on standard input to standard output.

Its argument is the processor time it may take, in seconds; the kernel ends it after that.
"""

from __future__ import annotations

import resource
import sys

from mozjpeg_lossless_optimization import optimize

if __name__ == "__main__":
    seconds = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    sys.stdout.buffer.write(optimize(sys.stdin.buffer.read()))
