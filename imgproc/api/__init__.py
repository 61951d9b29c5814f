"""The HTTP API: one blueprint for each noun. Views validate, call and return."""

from __future__ import annotations

from apiflask import APIFlask

from imgproc.api import (
    auth,
    bodies,
    calls,
    deliveries,
    edge,
    form_tokens,
    health,
    keys,
    openapi,
    option_names,
    pings,
    problems,
    rate_limits,
    requests,
    scrapes,
    shares,
    status,
    uploads,
)
from imgproc.core.config import Settings


def init_app(app: APIFlask, settings: Settings) -> None:
    """Register every blueprint, the problem responses and the OpenAPI document."""
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's default provider has it
    app.url_map.strict_slashes = False  # an address with a slash at its end is the same
    calls.init_app(app, settings)
    problems.init_app(app)
    edge.init_app(app, settings)
    bodies.init_app(app)
    uploads.init_app(app, settings)
    pings.init_app(app, settings)
    app.before_request(auth.identify)
    rate_limits.init_app(app, settings)
    app.before_request(auth.require)
    app.before_request(form_tokens.check)
    form_tokens.init_app(app)
    app.before_request(option_names.refuse_unknown)
    openapi.init_app(app, settings)
    health.init_app(app)
    for module in (uploads, status, requests, shares, deliveries, pings, keys, scrapes):
        app.register_blueprint(module.blueprint)
