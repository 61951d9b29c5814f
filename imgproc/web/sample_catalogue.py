"""The sample catalogue of the embedded stack: a CSV and its pictures, for a first upload that works as typed."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Flask, Response, current_app, redirect, send_from_directory, url_for
from werkzeug.wrappers import Response as AnyResponse

from imgproc.core.config import Settings
from imgproc.web.outputs import CONTENT_TYPES

FOLDER = Path(__file__).parent / "samples"
BASE = "{SAMPLES_URL}"  # in the stored CSV, in the place of the address

samples = Blueprint("samples", __name__, url_prefix="/samples")


def register_samples(app: Flask, settings: Settings) -> None:
    """Serve the catalogue and its pictures at `/samples/`."""
    app.config["SAMPLES_URL"] = settings.samples_url
    app.register_blueprint(samples)


@samples.get("/")
def show_samples() -> AnyResponse:
    """Redirect to the catalogue."""
    return redirect(url_for("samples.get_catalogue"))


@samples.get("/catalogue.csv")
def get_catalogue() -> Response:
    """The CSV, whose URLs have the address at which workers reach the pictures, not the one the caller used."""
    return Response(catalogue(), content_type="text/csv; charset=utf-8")


def catalogue() -> bytes:
    """The bytes of the CSV."""
    text = (FOLDER / "catalogue.csv").read_text(encoding="utf-8")
    return text.replace(BASE, current_app.config["SAMPLES_URL"]).encode()


@samples.get("/<name>")
def get_picture(name: str) -> Response:
    """One picture of the catalogue."""
    extension = name.rpartition(".")[2]
    return send_from_directory(FOLDER, name, mimetype=CONTENT_TYPES.get(extension, "application/octet-stream"))
