"""How a request's file is read and written: what the caller says of it, as it is stored with the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imgproc.pipeline.table.read import CsvReading, ReadOptions

CSV, XLSX = "csv", "xlsx"


@dataclass(frozen=True)
class FileOptions:
    """`read` says how the file is read; `output_format` XLSX asks for a workbook beside the CSV.

    `bom` says whether the CSVs begin with a byte order mark; None leaves it to the input.
    """

    read: ReadOptions = field(default_factory=ReadOptions)
    output_format: str = CSV
    bom: bool | None = None

    def as_json(self) -> dict[str, Any] | None:
        """What differs from the defaults, by the names of the upload's parts; None if nothing does."""
        columns = self.read.columns and {name: list(headings) for name, headings in self.read.columns.items()}
        given = {"columns": columns, "encoding": self.read.encoding, "sheet": self.read.sheet, "bom": self.bom}
        if self.output_format != CSV:
            given["outputFormat"] = self.output_format
        return {name: value for name, value in given.items() if value is not None} or None


def from_json(stored: Mapping[str, Any] | None) -> FileOptions:
    """The options that `as_json` gave."""
    found = stored or {}
    read = ReadOptions(found.get("encoding"), found.get("sheet"), found.get("columns"))
    return FileOptions(read, found.get("outputFormat", CSV), found.get("bom"))


def has_mark(reading: CsvReading, options: FileOptions) -> bool:
    """Whether the CSVs get a byte order mark: by default unless the input is UTF-8 without one.

    Excel, which wrote such an input, shows the letters of UTF-8 right only with the mark.
    """
    return options.bom if options.bom is not None else reading.kind != CSV or reading.encoding != "utf-8"
