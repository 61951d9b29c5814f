"""Exports of shop platforms whose rows need more than the names of their columns. Data, and how it is applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imgproc.pipeline.table.headings import key


@dataclass(frozen=True)
class Platform:
    """An export with all these `headings`.

    The first column of `serials` that a row fills has its serial number. A row whose cell in the column `kind` is one
    of `belonging` belongs to the product above it, unless it has a name and a picture of its own.
    """

    name: str
    headings: tuple[str, ...]
    serials: tuple[str, ...]
    kind: str = ""
    belonging: frozenset[str] = frozenset()


_VARIATION = frozenset({"variation"})
PLATFORMS = (
    Platform("WooCommerce", ("Type", "SKU", "Name", "Images"), ("SKU", "ID"), "Type", _VARIATION),
    Platform(
        "WooCommerce (de)", ("Typ", "Artikelnummer", "Name", "Bilder"), ("Artikelnummer", "ID"), "Typ", _VARIATION
    ),
    Platform("WooCommerce (fr)", ("Type", "UGS", "Nom", "Images"), ("UGS", "ID"), "Type", _VARIATION),
    Platform("WooCommerce (es)", ("Tipo", "SKU", "Nombre", "Imágenes"), ("SKU", "ID"), "Tipo", _VARIATION),
    Platform(
        "BigCommerce",
        ("Item", "ID", "Name", "SKU", "Internal Image URL (Export)"),
        ("SKU", "ID"),
        "Item",
        frozenset({"variant", "image", "video"}),
    ),
    Platform(
        "BigCommerce (v2)",
        ("Item Type", "Product ID", "Product Name", "Product Code/SKU"),
        ("Product Code/SKU", "Product ID"),
        "Item Type",
        frozenset({"sku", "rule"}),
    ),
    # A listing of Etsy has a title, and only perhaps an SKU.
    Platform("Etsy", ("TITLE", "DESCRIPTION", "PRICE", "IMAGE1"), ("SKU", "TITLE")),
    Platform(
        "Ecwid",
        ("type", "product_internal_id", "product_sku", "product_name"),
        ("product_sku", "product_internal_id"),
        "type",
        frozenset({"product_option", "product_variation", "product_review", "product_file"}),
    ),
)


@dataclass(frozen=True)
class RowRules:
    """The rules of a platform by the columns of one header: `serials` and `kind` are indices."""

    platform: Platform
    serials: tuple[int, ...]
    kind: int | None

    def belongs_above(self, cells: Sequence[str]) -> bool:
        """Whether the row says of itself that it is a part of the product above it."""
        return self.kind is not None and cells[self.kind].strip().casefold() in self.platform.belonging


def find_rules(header: Sequence[str]) -> RowRules | None:
    """The rules of the platform that a header is from, if it needs any."""
    places = {key(heading): index for index, heading in reversed([*enumerate(header)])}
    for platform in PLATFORMS:
        if all(key(heading) in places for heading in platform.headings):
            serials = tuple(places[key(heading)] for heading in platform.serials if key(heading) in places)
            return RowRules(platform, serials, places.get(key(platform.kind)) if platform.kind else None)
    return None
