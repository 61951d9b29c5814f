"""The program that `_keep_jpeg` runs: a JPEG on standard input, its coefficients encoded anew on standard output.

Its argument is the seconds of processor time that it may take; then the kernel ends it.

mozjpeg writes a progressive file. Of a small one that was sequential, with tables of its own, that makes a larger one,
so such a file is written as it was (ISO/IEC 10918-1, Annexes B and F), by a slower encoder.
"""

from __future__ import annotations

import resource
import sys
from itertools import product

import pyjpeg
from mozjpeg_lossless_optimization import optimize

MOST_BYTES = 32 * 1024  # The slower encoder takes half a second for it; larger files gain from being progressive.
PROGRESSIVE = b"\xff\xc2"  # the marker of its frame
ANY_SYMBOL = [list(range(256)) if bits == 9 else [] for bits in range(1, 17)]  # Until its optimum is known.
READ_ERRORS = (pyjpeg.ReadError, EOFError, LookupError, ValueError, AssertionError)  # What it says of a damaged file.


def encode_anew(source: bytes) -> bytes:
    """The same coefficients in the fewest bytes, without metadata or profile; may end this process."""
    progressive: bytes = optimize(source)
    if len(progressive) < len(source) or len(source) > MOST_BYTES or PROGRESSIVE in source:
        return progressive
    try:
        sequential = _encode_sequential(source)
    except READ_ERRORS:
        return progressive
    is_the_same = _behind_density(optimize(sequential)) == _behind_density(progressive)
    return min(sequential, progressive, key=len) if is_the_same else progressive


def _behind_density(written: bytes) -> bytes:
    """What mozjpeg wrote, but for the header that has pixels per inch (JFIF 1.02), which may differ."""
    return written[:4] + written[20:]


def _encode_sequential(source: bytes) -> bytes:
    """One scan with the best tables for it. Raises one of `READ_ERRORS`, also where `source` is of other scans."""
    segments = pyjpeg.Stream.read(pyjpeg.BufferedReader(source)).segments
    frames = [segment for segment in segments if isinstance(segment, pyjpeg.StartOfFrame)]
    scans = [segment for segment in segments if isinstance(segment, pyjpeg.HuffmanDCTScan)]
    (frame,), (scan,) = frames, scans
    if len(frame.components) != len(scan.components):
        raise ValueError
    written = [pyjpeg.StartOfImage(), _quantization(segments, frame), frame, *_scan(scan.data_units, frame)]
    writer = pyjpeg.BufferedWriter()
    pyjpeg.Stream(pyjpeg.huffman_optimize([*written, pyjpeg.EndOfImage()])).write(writer)
    return bytes(writer.data)


def _quantization(segments: list[pyjpeg.Segment], frame: pyjpeg.StartOfFrame) -> pyjpeg.DefineQuantizationTables:
    """The tables that `frame` refers to, and no others."""
    tables = [segment.tables for segment in segments if isinstance(segment, pyjpeg.DefineQuantizationTables)]
    by_index = {table.destination: table for among in tables for table in among}
    indexes = sorted({component.quantization_table_index for component in frame.components})
    return pyjpeg.DefineQuantizationTables([by_index[index] for index in indexes])


def _scan(units: list[list[int]], frame: pyjpeg.StartOfFrame) -> list[pyjpeg.Segment]:
    """Tables yet to be optimized, one pair for brightness and one for colour; the scan's header and itself."""
    slots = [min(position, 1) for position in range(len(frame.components))]
    kinds = (pyjpeg.HuffmanTable.dc, pyjpeg.HuffmanTable.ac)
    tables = [kind(slot, ANY_SYMBOL) for slot in sorted(set(slots)) for kind in kinds]
    parts = list(zip(frame.components, slots, strict=True))
    return [
        pyjpeg.DefineHuffmanTables(tables),
        pyjpeg.StartOfScan.dct([pyjpeg.ScanComponent.dct(component.id, slot, slot) for component, slot in parts]),
        pyjpeg.HuffmanDCTScan(
            _only_shown(units, frame),
            [
                pyjpeg.HuffmanDCTScanComponent(ANY_SYMBOL, ANY_SYMBOL, component.sampling_factor)
                for component, _ in parts
            ],
        ),
    ]


def _only_shown(units: list[list[int]], frame: pyjpeg.StartOfFrame) -> list[list[int]]:
    """The blocks of the scan, in its order; those beyond the picture's edge repeat the brightness before them."""
    across = max(component.sampling_factor[0] for component in frame.components)
    down = max(component.sampling_factor[1] for component in frame.components)
    rows, columns = -(-frame.number_of_lines // (8 * down)), -(-frame.samples_per_line // (8 * across))
    given = iter(units)
    shown: list[list[int]] = []
    last: dict[int, list[int]] = {}
    for row, column, component in product(range(rows), range(columns), frame.components):
        width, height = component.sampling_factor
        for y, x in product(range(height), range(width)):
            unit = next(given)
            is_shown = (
                8 * across * (column * width + x) < frame.samples_per_line * width
                and 8 * down * (row * height + y) < frame.number_of_lines * height
            )
            last[component.id] = unit if is_shown else [last[component.id][0], *[0] * 63]
            shown.append(last[component.id])
    return shown


if __name__ == "__main__":
    seconds = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    sys.stdout.buffer.write(encode_anew(sys.stdin.buffer.read()))
