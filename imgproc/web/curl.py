"""Every action of the pages as a command for curl, to be copied."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from flask import url_for

from imgproc.journey.services import services

KEY = '-H "Authorization: Bearer $IMGPROC_API_KEY"'


def command(endpoint: str, *arguments: str, method: str = "GET", **values: str) -> str:
    """The command that calls an endpoint of the API. It has a key where the server asks for one."""
    words = ["curl", *([] if method == "GET" else ["-X", method]), *arguments]
    url = shlex.quote(url_for(endpoint, _external=True, **values))
    key = [KEY] if services().settings.api_keys_required else []
    return " ".join([*map(shlex.quote, words), *key, url])


def json_command(endpoint: str, body: Mapping[str, str]) -> str:
    """The command that sends a JSON object to an endpoint."""
    return command(endpoint, "--json", json.dumps(body), method="POST")


def upload_command(filename: str, options: Mapping[str, str]) -> str:
    """The command that uploads a file with its options."""
    name = filename.replace('"', "")
    parts = [f'file=@"{name}"', *(f"{option}={value}" for option, value in options.items())]
    flags = [word for index, part in enumerate(parts) for word in ("-F" if index == 0 else "--form-string", part)]
    return command("uploads.upload_file", *flags)
