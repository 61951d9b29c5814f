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
from imgproc.web.texts import N_, gettext

# The page of a file asks for these in its own way.
ABOUT_THE_FILE = ("file", "filename", "columns", "encoding", "sheet", "invalidRows")
FIRST = ("format", "quality", "scale", "outputFormat")  # the others are below these, folded
LABELS = {
    "format": N_("Format"),
    "quality": N_("Quality"),
    "scale": N_("Scale"),
    "larger": N_("Larger"),
    "columns": N_("Columns"),
    "encoding": N_("Encoding"),
    "sheet": N_("Sheet"),
    "invalidRows": N_("Invalid rows"),
    "webhookUrl": N_("Webhook"),
    "reference": N_("Your reference"),
    "outputFormat": N_("Result file"),
    "bom": N_("Byte order mark"),
    "maxWidth": N_("Largest width"),
    "maxHeight": N_("Largest height"),
    "minSide": N_("Smallest side"),
}
HINTS = {
    "format": N_("All results are in this format."),
    "quality": N_("Smart makes a smaller file that looks about as good as quality 50, and takes longer."),
    "scale": N_("Of width and height. Pictures are never enlarged."),
    "webhookUrl": N_("An address of yours that is told when everything is done."),
    "reference": N_("Any text, such as an order number. The list and the webhook repeat it."),
    "outputFormat": N_("The CSV is separated by commas. Choose Excel too if you open the result there."),
    "bom": N_("Tells Excel that the CSV is UTF-8. By default as your file has it."),
}
QUALITIES = {
    "30": N_("smallest"),
    str(DEFAULT_QUALITY): N_("balanced"),
    "65": "",
    "80": N_("fine"),
    "95": N_("largest"),
}
SCALES = {"1": N_("same size"), "0.75": "", str(DEFAULT_SCALE): "", "0.33": "", "0.25": ""}
TEXTS = {
    "jpeg": N_("JPEG, shown everywhere"),
    "webp": N_("WebP, smaller"),
    "avif": N_("AVIF, smallest"),
    "png": N_("PNG, lossless"),
    "keep": N_("As each picture is"),
    "source": N_("source"),
    "csv": "CSV",
    "xlsx": N_("CSV and Excel"),
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
    choices = _presets(name) or _choices(field)
    if choices and value not in dict(choices):
        choices.append((value, value or gettext("By default")))
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


def _presets(name: str) -> list[tuple[str, str]]:
    if name == "quality":
        return [(SMART, gettext("Smart")), *((value, _named(value, word)) for value, word in QUALITIES.items())]
    if name == "scale":
        return [(value, _named(f"{float(value) * 100:.0f} %", word)) for value, word in SCALES.items()]
    return []


def _named(value: str, word: str) -> str:
    return f"{value}, {gettext(word)}" if word else value


def _choices(field: Field[Any]) -> list[tuple[str, str]]:
    if isinstance(field, Boolean):
        yes_or_no = [("true", gettext("Yes")), ("false", gettext("No"))]
        return yes_or_no if field.load_default in {True, False} else [("", gettext("By default")), *yes_or_no]
    for validator in field.validators:
        if isinstance(validator, OneOf):
            return [(str(each), gettext(TEXTS.get(str(each), str(each)))) for each in validator.choices]
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
    return gettext(LABELS.get(camel) or _spaced(camel))


def _spaced(name: str) -> str:
    """The name of an option in words: `maxWidth` is `Max width`."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return words[:1].upper() + words[1:]
