"""The options of an upload as fields of a form: one for each option of the upload's schema, so that none is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apiflask.fields import Boolean, Field, Number
from apiflask.validators import Length, OneOf, Range
from flask import request
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from imgproc.api.inputs import UploadIn
from imgproc.api.option_names import require_known
from imgproc.pipeline.images.formats import DEFAULT_QUALITY, DEFAULT_SCALE, SMART

# The page of a file asks for these in its own way.
ABOUT_THE_FILE = ("file", "filename", "columns", "encoding", "sheet", "invalidRows")
FIRST = ("format", "quality", "scale")  # the others are below these, folded
LABELS = {
    "webhookUrl": "Webhook",
    "reference": "Your reference",
    "outputFormat": "Result file",
    "bom": "Byte order mark",
    "maxWidth": "Largest width",
    "maxHeight": "Largest height",
    "minSide": "Smallest side",
}
HINTS = {
    "format": "Of all results.",
    "quality": "Smart tries each picture, and takes the smallest file that looks as good as quality 50.",
    "scale": "Of width and height. Pictures are never enlarged.",
    "webhookUrl": "An address of yours that is told when everything is done.",
    "reference": "Any text, such as an order number. The list and the webhook repeat it.",
    "outputFormat": "A workbook comes beside the CSV.",
    "bom": "Tells Excel that the CSV is UTF-8. By default as your file has it.",
}
PRESETS: dict[str, list[tuple[str, str]]] = {
    "quality": [
        (SMART, "Smart"),
        ("30", "30, smallest"),
        (str(DEFAULT_QUALITY), f"{DEFAULT_QUALITY}, balanced"),
        ("65", "65"),
        ("80", "80, fine"),
        ("95", "95, largest"),
    ],
    "scale": [
        ("1", "100 %, same size"),
        ("0.75", "75 %"),
        (str(DEFAULT_SCALE), f"{DEFAULT_SCALE * 100:.0f} %"),
        ("0.33", "33 %"),
        ("0.25", "25 %"),
    ],
}


TEXTS = {
    "jpeg": "JPEG, shown everywhere",
    "webp": "WebP, smaller",
    "avif": "AVIF, smallest",
    "png": "PNG, lossless",
    "keep": "As each picture is",
    "csv": "CSV",
    "xlsx": "CSV and Excel",
}


class StartIn(UploadIn):
    """The options of an upload whose file is known already."""

    class Meta(UploadIn.Meta):
        """The form has no file."""

        exclude = ("file", "filename", "columns", "encoding", "sheet")

    def given(self) -> MultiDict[str, Any]:
        """Every field of the form but the token of the session.

        Raises:
            Problem: there is an unknown option.
        """
        found = MultiDict(request.form)
        found.pop("csrf_token", None)
        require_known(found, known=list(self.fields))
        return found


@dataclass(frozen=True)
class OptionField:
    """One field: a select where there are `choices`, else an input of `kind`. `attributes` are those of the input."""

    name: str
    label: str
    hint: str
    value: str
    choices: list[tuple[str, str]]
    kind: str
    attributes: dict[str, str]
    fault: str | None


def option_fields(given: Mapping[str, str], faults: Mapping[str, str]) -> tuple[list[OptionField], list[OptionField]]:
    """The fields with their values and what is wrong with these: the main ones, and the others."""
    fields = {
        name: _field(name, field, given.get(name), faults.get(name))
        for name, field in UploadIn().fields.items()
        if name not in ABOUT_THE_FILE
    }
    return [fields.pop(name) for name in FIRST], list(fields.values())


def load_options() -> tuple[dict[str, Any], dict[str, str]]:
    """The options of the form as values, and what is wrong with those that cannot be used.

    Raises:
        InvalidOption: an option was given twice.
        Problem: there is an unknown option.
    """
    try:
        return StartIn().load({}), {}
    except ValidationError as error:
        return {}, {name: " ".join(texts) for name, texts in error.messages_dict.items()}


def changed_options(given: Mapping[str, str]) -> dict[str, str]:
    """The options that differ from the defaults, as the API takes them."""
    defaults = {name: _default(field) for name, field in UploadIn().fields.items()}
    return {
        name: given[name]
        for name, default in defaults.items()
        if name not in ABOUT_THE_FILE and given.get(name, "") not in {"", default}
    }


def _field(name: str, field: Field[Any], given: str | None, fault: str | None) -> OptionField:
    value = given if given is not None else _default(field)
    choices = list(PRESETS.get(name) or _choices(field))
    if choices and value not in dict(choices):
        choices.append((value, value or "By default"))
    return OptionField(
        name=name,
        label=option_label(name),
        hint=HINTS.get(name) or str(field.metadata.get("description", "")).replace("`", ""),
        value=value,
        choices=choices,
        kind="url" if name.endswith("Url") else "number" if isinstance(field, Number) else "text",
        attributes=_attributes(field),
        fault=fault,
    )


def _default(field: Field[Any]) -> str:
    default = field.load_default
    return str(default) if isinstance(default, (str, int, float)) else ""


def _choices(field: Field[Any]) -> list[tuple[str, str]]:
    if isinstance(field, Boolean):
        return (
            [("true", "Yes"), ("false", "No")]
            if field.load_default in {True, False}
            else [
                ("", "By default"),
                ("true", "Yes"),
                ("false", "No"),
            ]
        )
    for validator in field.validators:
        if isinstance(validator, OneOf):
            return [(str(each), TEXTS.get(str(each), str(each))) for each in validator.choices]
    return []


def _attributes(field: Field[Any]) -> dict[str, str]:
    found = {"step": "any"} if isinstance(field, Number) else {}
    for validator in field.validators:
        if isinstance(validator, Length) and validator.max:
            found["maxlength"] = str(validator.max)
        if isinstance(validator, Range):
            found |= {
                name: str(bound)
                for name, bound in (("min", validator.min), ("max", validator.max))
                if bound is not None
            }
    return found


def option_label(name: str) -> str:
    """The name of an option as the pages write it; `max_width` and `maxWidth` are the same option."""
    first, *rest = name.split("_")
    camel = first + "".join(word.capitalize() for word in rest)
    return LABELS.get(camel) or _spaced(camel)


def _spaced(name: str) -> str:
    """The name of an option in words: `maxWidth` is `Max width`."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return words[:1].upper() + words[1:]
