"""Exports of shop platforms whose rows need more than the names of their columns. Data, and how it is applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imgproc.pipeline.table.headings import SERIALS, key
from imgproc.pipeline.table.samples import texts


@dataclass(frozen=True)
class Platform:
    """An export with all these `headings`.

    The first column of `serials` that a row fills has its serial number. A row whose cell in the column `kind` is one
    of `belonging` belongs to the product above it, unless it has a name and a picture of its own. Without `belonging`,
    any cell there says that the row belongs to the one above with the same serial number. Where rows are `separate`,
    two of one name are two products.
    """

    name: str
    headings: tuple[str, ...]
    serials: tuple[str, ...]
    kind: str = ""
    belonging: frozenset[str] = frozenset()
    separate: bool = False


_WOOCOMMERCE = Platform("WooCommerce", (), (), belonging=frozenset({"variation"}))
# What the column `Type` of WooCommerce holds in every language.
_WOOCOMMERCE_TYPES = frozenset(
    ("simple", "variable", "variation", "grouped", "external", "virtual", "downloadable", "subscription", "bundle")
)
_WOOCOMMERCE_IDS = ("ID", "Kimlik", "מזהה", "المعرف", "شناسه")
PLATFORMS = (
    # Rows of store views repeat a product in other languages.
    Platform("Magento", ("sku", "store_view_code", "name"), ("sku",), "store_view_code"),
    Platform("Magento 1", ("sku", "_store", "_attribute_set", "_media_image"), ("sku",), "_store"),
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
    Platform("Etsy", ("TITLE", "DESCRIPTION", "PRICE", "IMAGE1"), ("SKU", "TITLE"), separate=True),
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

    def belongs_above(self, cells: Sequence[str], *, is_whole: bool) -> bool:
        """Whether the row is a part of the product above it; `is_whole` says that it could be a product itself."""
        kind = cells[self.kind].strip().casefold() if self.kind is not None else ""
        belonging = self.platform.belonging
        return bool(kind) and (kind in belonging and not is_whole if belonging else True)


def find_rules(header: Sequence[str], rows: Sequence[Sequence[str]]) -> RowRules | None:
    """The rules of the platform that a header and its first rows are from, if it needs any."""
    if rules := _woocommerce(header, rows):
        return rules
    places = {key(heading): index for index, heading in reversed([*enumerate(header)])}
    for platform in PLATFORMS:
        if all(key(heading) in places for heading in platform.headings):
            serials = tuple(places[key(heading)] for heading in platform.serials if key(heading) in places)
            return RowRules(platform, serials, places.get(key(platform.kind)) if platform.kind else None)
    return None


def _woocommerce(header: Sequence[str], rows: Sequence[Sequence[str]]) -> RowRules | None:
    """The rules of WooCommerce, which writes its header in the language of the shop, and types in English."""
    ids = [index for index, heading in enumerate(header) if key(heading) in map(key, _WOOCOMMERCE_IDS)]
    for index in range(len(header)) if ids else ():
        types = {part.strip() for text in texts(rows, index) for part in text.casefold().split(",")}
        if types and types <= _WOOCOMMERCE_TYPES:
            numbers = {i: SERIALS[key(h)] for i, h in enumerate(header) if key(h) in SERIALS and i not in ids}
            return RowRules(_WOOCOMMERCE, (*sorted(numbers, key=lambda i: numbers[i])[:1], *ids[:1]), index)
    return None
