"""Write imgproc/cli/upload_options.json, the options of `submit` and `validate`, from the schema of the upload.

The command line reads the file, because the schema needs the web framework, which takes a second to import.
`python -m scripts.cli_reference` calls this; a test compares.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from apiflask.fields import Boolean, Field, Float, Integer
from apiflask.validators import OneOf, Range
from marshmallow import missing

from imgproc.api.inputs import UploadIn

FILE = Path(__file__).resolve().parent.parent / "imgproc/cli/upload_options.json"


def text() -> str:
    """The content of the file."""
    fields = {name: field for name, field in UploadIn().fields.items() if name != "file"}
    return json.dumps([_option(name, field) for name, field in fields.items()], indent=2, ensure_ascii=False) + "\n"


def _option(name: str, field: Field[Any]) -> dict[str, Any]:
    return {
        "part": name,
        "help": " ".join(_help(field)),
        "choices": [each for found in _validators(field, OneOf) for each in found.choices],
        "switch": isinstance(field, Boolean),
        "number": isinstance(field, (Float, Integer)),
    }


def _help(field: Field[Any]) -> list[str]:
    parts = [field.metadata["description"]]
    for bounds in _validators(field, Range):
        least = f"From {bounds.min:g}" if bounds.min_inclusive else f"Above {bounds.min:g}"
        parts.append(f"{least} to {bounds.max:g}." if bounds.max is not None else f"{least}.")
    numbers = [kind for kind in field.metadata.get("oneOf", []) if "minimum" in kind]
    parts += [f"From {kind['minimum']} to {kind['maximum']}." for kind in numbers]
    if "example" in field.metadata:
        parts.append(f"Such as `{field.metadata['example']}`.")
    if field.load_default is not missing:
        parts.append(f"Default: `{field.load_default}`.")
    return parts


def _validators(field: Field[Any], kind: type[Any]) -> list[Any]:
    return [each for each in field.validators if isinstance(each, kind)]


if __name__ == "__main__":
    FILE.write_text(text())
