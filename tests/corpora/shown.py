"""A picture as a judge or we show it, and how far two of them differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GRID = 24  # blocks a side whose means are compared, so that another filter or rounding is no difference
DRAWING_GRID = 4  # the same of a drawing, because renderers smooth edges differently
DRAWING_BLOCK = 16  # pixels a side of such a block at least; smaller drawings are mostly edges
LEVELS = 4  # of 255, by which the mean of a block may differ


@dataclass(frozen=True)
class Shown:
    """Pixels (height x width x 3, sRGB on white), and whether they are the whole picture."""

    pixels: NDArray[np.uint8]
    is_whole: bool = True

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.pixels.shape[:2]
        return width, height


def difference(ours: Shown, theirs: Shown, *, grid: int = GRID) -> str | None:
    """How two pictures differ, or None: another size, or blocks whose mean differs by more than `LEVELS`."""
    if ours.size != theirs.size:
        return f"size {ours.size[0]} x {ours.size[1]} instead of {theirs.size[0]} x {theirs.size[1]}"
    levels = float(np.abs(_means(ours.pixels, grid) - _means(theirs.pixels, grid)).max())
    return f"blocks differ by {levels:.0f} levels" if levels > LEVELS else None


def drawing_grid(size: tuple[int, int]) -> int:
    """The number of blocks a side in which a drawing is compared."""
    return max(1, min(DRAWING_GRID, min(size) // DRAWING_BLOCK))


def _means(pixels: NDArray[np.uint8], grid: int) -> NDArray[np.float64]:
    rows, columns = (np.linspace(0, side, min(side, grid), endpoint=False).astype(int) for side in pixels.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(pixels.astype(np.float64), rows, axis=0), columns, axis=1)
    counts = np.outer(np.diff([*rows, pixels.shape[0]]), np.diff([*columns, pixels.shape[1]]))
    means: NDArray[np.float64] = sums / counts[:, :, None]
    return means
