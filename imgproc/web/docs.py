"""The browsable API at `/docs`: Swagger UI, served from this package so that it works offline."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import render_template

from imgproc.web import help_pages

blueprint = APIBlueprint(
    "docs",
    __name__,
    enable_openapi=False,
    template_folder="templates",
)


@blueprint.get("/docs")
def show_docs() -> str:
    """Swagger UI over `/openapi.json`."""
    return render_template("docs.html", has_help=help_pages.folder() is not None)
