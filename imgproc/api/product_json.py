"""Writes rows of products and images as the API's JSON. `product_schemas` describes it."""

from __future__ import annotations

from typing import Any

from imgproc.api.product_schemas import STAGE_NAMES
from imgproc.journey.services import services
from imgproc.journey.summary import error_json


def product_json(product: Any, images: list[Any]) -> dict[str, Any]:
    """The JSON of a product with its images."""
    return {
        "line": product.line,
        "serialNumber": product.serial_number,
        "productName": product.product_name,
        "status": product.status.value,
        "error": error_json(product.error_code, product.error_detail),
        "images": [_image(image) for image in images],
    }


def _image(image: Any) -> dict[str, Any]:
    store, output = services().store, _picture(image, "output")
    error = {"code": image.error_code, "detail": image.error_detail, "retryable": bool(image.error_retryable)}
    return {
        "position": image.position,
        "sourceUrl": image.source_url,
        "outputUrl": store.public_url(image.output_key) if image.output_key else None,
        "originalUrl": store.original_url(image.original_key) if image.original_key else None,
        "status": image.status.value,
        "error": error if image.error_code else None,
        "source": _picture(image, "source"),
        "output": output and output | {"kept": bool(image.output_kept)},
        "durationMs": image.duration_ms,
        **_optional(image),
    }


def _picture(image: Any, side: str) -> dict[str, Any] | None:
    facts = {name: getattr(image, f"{side}_{name}") for name in ("bytes", "width", "height", "format")}
    return facts if facts["bytes"] is not None else None


def _optional(image: Any) -> dict[str, Any]:
    """The members that the JSON of an image leaves out where they are empty."""
    stages = {STAGE_NAMES[stage]: taken for stage, taken in (image.stages_ms or {}).items()}
    likeness = None if image.likeness is None else round(image.likeness, 3)
    found = {"notes": image.notes, "likeness": likeness, "stagesMs": stages}
    return {name: value for name, value in found.items() if value not in (None, {}, [])}
