"""The key of each object in its bucket, made of ids and a slug, so no text of a caller becomes a path."""

from __future__ import annotations

import re

from anyascii import anyascii

SLUG_LENGTH = 60


def slugify(product_name: str) -> str:
    """The name as 1 to 60 of `a-z`, `0-9` and inner `-`, other scripts in Latin letters; `product` if none are left."""
    slug = re.sub(r"[^a-z0-9]+", "-", anyascii(product_name).lower()).strip("-")
    return slug[:SLUG_LENGTH].rstrip("-") or "product"


def input_key(request_id: str) -> str:
    """The key of the uploaded file, in the originals bucket."""
    return f"{request_id}/input.csv"


def original_key(request_id: str, *, row: int, position: int, extension: str) -> str:
    """The key of an original, in the originals bucket; `row` and `position` from 1, `extension` without a dot."""
    return f"{request_id}/{row}/{position}.{extension}"


def rendition_key(request_id: str, *, row: int, position: int, product_name: str, extension: str) -> str:
    """The key of a rendition, in the outputs bucket; `row` and `position` from 1, `extension` without a dot."""
    return f"{request_id}/{row}/{position}-{slugify(product_name)}.{extension}"


def output_csv_key(request_id: str, *, token: str) -> str:
    """The key of the output CSV; because of the random token it cannot be guessed from the URL of an image."""
    return f"{request_id}/{token}/output.csv"


def failed_csv_key(request_id: str, *, token: str) -> str:
    """The key of the failed CSV, beside the output CSV."""
    return f"{request_id}/{token}/failed.csv"


def xlsx_key(output_key: str) -> str:
    """The key of the workbook, beside the output CSV."""
    return f"{output_key.removesuffix('.csv')}.xlsx"
