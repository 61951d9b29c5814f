"""Reads paths of JPEGs, one a line, halves each with thumbor's engine, and prints the cost in seconds.

It runs in its own virtual environment, because thumbor does not accept our Pillow.
"""

import json
import sys
import time
from pathlib import Path

from thumbor.config import Config
from thumbor.context import Context
from thumbor.engines.pil import Engine


def half(source: bytes) -> bytes:
    """Halve a picture as thumbor does for `/fit-in/…/filters:quality(50)/`, without its loader and storage."""
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
