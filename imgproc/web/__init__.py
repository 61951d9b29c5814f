"""The pages for browsers. They load everything from this server, so that they work offline."""

from __future__ import annotations

from apiflask import APIFlask

from imgproc.core.config import Settings
from imgproc.web import docs, outputs, sample_catalogue


def init_app(app: APIFlask, settings: Settings) -> None:
    """Register the pages, and what only the embedded stack serves: the outputs bucket and the sample catalogue."""
    app.register_blueprint(docs.blueprint)
    if settings.embedded_outputs_dir:
        outputs.register_outputs(app, settings)
    if settings.samples_url:
        sample_catalogue.register_samples(app, settings)
