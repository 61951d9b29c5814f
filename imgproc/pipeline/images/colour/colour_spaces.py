"""Colour spaces as files name them: primaries, a transfer curve, and the peak of an HDR picture.

The code points are those of ITU-T H.273, in PNG (cICP), AVIF (nclx) and ICC profiles (cicp). The choices where the
standards leave one follow Chromium (ADR 28).
"""

from __future__ import annotations

from dataclasses import dataclass

Curve = tuple[float, ...] | str  # the parameters of an ICC parametric curve, from encoded to linear; or PQ or HLG
Primaries = tuple[float, ...]  # x and y of white, red, green and blue (CIE 1931)
Matrix = list[list[float]]

PQ, HLG = "pq", "hlg"
REFERENCE_PEAK = 1000.0  # nits of an HDR picture that does not say (ITU-R BT.2100)

D65, C = (0.3127, 0.3290), (0.310, 0.316)
SRGB_CURVE: Curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
SRGB_PRIMARIES: Primaries = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
BT2020_PRIMARIES: Primaries = (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046)
_SMPTE_170M: Primaries = (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070)

PRIMARIES: dict[int, Primaries] = {
    1: SRGB_PRIMARIES,
    4: (*C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: _SMPTE_170M,
    7: _SMPTE_170M,
    8: (*C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: BT2020_PRIMARIES,
    10: (1 / 3, 1 / 3, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
CURVES: dict[int, Curve] = {
    4: (2.2,),
    5: (2.8,),
    7: (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0913),
    8: (1.0,),
    13: SRGB_CURVE,
    16: PQ,
    17: (2.6, (52.37 / 48) ** (1 / 2.6), 0.0),
    18: HLG,
}
CAMERA_CURVES = {1, 6, 11, 14, 15}  # of BT.709 and its kin: how a camera encodes, so a display's curve must be chosen


@dataclass(frozen=True)
class ColourSpace:
    """What the samples of a picture mean. Only HDR curves use `peak`, in nits, and `luma`.

    `luma` corrects a decoder that took samples of limited range for samples of full range: it is the shares of red,
    green and blue in their luma (ITU-R BT.2100). It is empty if the decoder took them rightly.
    """

    primaries: Primaries = SRGB_PRIMARIES
    curve: Curve = SRGB_CURVE
    peak: float = REFERENCE_PEAK
    luma: tuple[float, ...] = ()

    @property
    def is_srgb(self) -> bool:
        """Whether the samples are sRGB as they are."""
        return (self.primaries, self.curve) == (SRGB_PRIMARIES, SRGB_CURVE)


def peak_of(*, content: float, display: float) -> float:
    """The peak in nits of an HDR picture, by its brightest pixel and the display it was made on; 0 where not given."""
    return content or display or REFERENCE_PEAK


def to_xyz(primaries: Primaries) -> Matrix:
    """The matrix from linear RGB to CIE XYZ in which white has Y = 1; its rows are X, Y and Z.

    Raises:
        ArithmeticError: the primaries are on one line, or the y of white is 0.
    """
    points = [(x, y, 1 - x - y) for x, y in zip(primaries[::2], primaries[1::2], strict=True)]
    white = [part / points[0][1] for part in points[0]]
    columns = [list(row) for row in zip(*points[1:], strict=True)]
    amounts = [sum(row[i] * white[i] for i in range(3)) for row in inverse(columns)]
    return [[row[i] * amounts[i] for i in range(3)] for row in columns]


def inverse(matrix: Matrix) -> Matrix:
    """The inverse of a 3 x 3 matrix.

    Raises:
        ZeroDivisionError: it has none.
    """

    def minor(row: int, column: int) -> float:
        (a, b), (c, d) = ([matrix[i][j] for j in range(3) if j != column] for i in range(3) if i != row)
        return (b * c - a * d) if (row + column) % 2 else (a * d - b * c)

    determinant = sum(matrix[0][column] * minor(0, column) for column in range(3))
    return [[minor(column, row) / determinant for column in range(3)] for row in range(3)]


def product(one: Matrix, other: Matrix) -> Matrix:
    """The matrix that applies `other` first, and then `one`."""
    return [[sum(row[k] * other[k][j] for k in range(3)) for j in range(3)] for row in one]
