"""Reads the path of a JPEG a line, makes its half by thumbor's own engine, and answers what that cost in seconds.

It runs in a virtual environment of its own, because thumbor does not accept our Pillow.
"""

import json
import sys
import time
from pathlib import Path

from thumbor.config import Config
from thumbor.context import Context
from thumbor.engines.pil import Engine


def half(source: bytes) -> bytes:
    """What thumbor does with `/fit-in/…/filters:quality(50)/` between its loader and its storage."""
    engine = Engine(Context(config=Config()))
    engine.load(source, ".jpg")
    width, height = engine.size
    engine.resize(width // 2, height // 2)
    return bytes(engine.read(".jpg", quality=50))


for line in sys.stdin:
    body = Path(line.strip()).read_bytes()
    cpu, wall = time.process_time(), time.perf_counter()
    half(body)
    print(json.dumps({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}), flush=True)
