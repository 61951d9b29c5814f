"""The OpenAPI document is valid and complete, and the server conforms to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import flask_migrate
import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from moto import mock_aws
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from imgproc.api.api_keys import create_key
from imgproc.app import create_app
from imgproc.core.config import load_settings
from imgproc.journey.services import services
from tests.support.s3 import create_buckets


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The app on SQLite and an S3 in memory. Redis is down: only the metrics depend on it."""
    folder = tmp_path_factory.mktemp("api")
    environ = {
        "DATA_DIR": str(folder),
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "WEBHOOK_SECRET": "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw==",
        "S3_ACCESS_KEY_ID": "test",
        "S3_SECRET_ACCESS_KEY": "test",
        "LOG_LEVEL": "ERROR",
    }
    with mock_aws():
        app = create_app(load_settings(environ))
        with app.app_context():
            flask_migrate.upgrade()
            create_buckets(services().store)
        yield app


def test_the_document_is_valid_openapi_3_1(app: Flask) -> None:
    """The document passes the specification's own schema."""
    document = app.test_client().get("/openapi.json").get_json()
    # Every process that collects this file would wait for the grammars that the import compiles.
    from openapi_spec_validator import OpenAPIV31SpecValidator  # noqa: PLC0415

    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_every_operation_is_described(app: Flask) -> None:
    """Every operation has a summary and lists its problem responses."""
    document = app.test_client().get("/openapi.json").get_json()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            if path.startswith("/api"):
                assert "application/problem+json" in operation["responses"]["503"]["content"], path
    upload = document["components"]["schemas"]["UploadIn"]
    assert upload["required"] == ["file"]
    assert upload["properties"]["file"]["format"] == "binary"


def test_the_browsable_api_needs_no_other_host(app: Flask) -> None:
    """The server itself serves every file the page names, and the page has no inline script."""
    page = app.test_client().get("/docs").get_data(as_text=True)
    assert "://" not in page
    assert "<script>" not in page
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js", "favicon-32x32.png"):
        assert name in page
        assert app.test_client().get(f"/static/swagger-ui/{name}", buffered=True).status_code == 200


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def test_responses_match_the_document(app: Flask) -> None:
    """No input to any operation leads to a server error or to an undocumented response."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path != "/metrics":  # answers 503 here, as Redis is down
            _fuzz(operation)


def test_responses_match_the_document_where_keys_are_required(app: Flask) -> None:
    """The same holds with and without a valid key; without one, every API call is refused with 401."""
    secured = create_app(replace(app.extensions["services"].settings, api_keys_required=True))
    with secured.app_context():
        headers = {"Authorization": f"Bearer {create_key('fuzzer')}"}
    schema = schemathesis.openapi.from_wsgi("/openapi.json", secured)
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path != "/metrics":
            _fuzz(operation, headers=headers)
            if operation.path.startswith("/api"):
                _fuzz(operation, only=401)


def _fuzz(operation: Any, *, headers: dict[str, str] | None = None, only: int | None = None) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(case=operation.as_strategy())
    def answers_as_documented(case: Any) -> None:
        if only:  # any key that schemathesis generates is invalid
            case.headers = {"X-API-Key": "x", **(case.headers or {})}
        response = case.call(headers=headers)
        if response.status_code != 503:
            case.validate_response(response, checks=CHECKS)
        assert only in {None, response.status_code}

    answers_as_documented()
