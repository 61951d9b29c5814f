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


def _operations(app: Flask) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of every operation."""
    document = app.test_client().get("/openapi.json").get_json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation


def test_every_operation_has_a_tag_and_an_id_of_its_own(app: Flask) -> None:
    """Generators name modules and functions by them."""
    tags = {tag["name"] for tag in app.test_client().get("/openapi.json").get_json()["tags"]}
    ids = [operation["operationId"] for _, _, operation in _operations(app)]
    assert len(set(ids)) == len(ids)
    assert {"uploadFile", "getStatus", "getOutputCsv"} <= set(ids)
    assert {tag for _, _, operation in _operations(app) for tag in operation["tags"]} == tags


def test_every_example_is_valid(app: Flask) -> None:
    """Each JSON response and each problem has an example that its schema accepts, without members of its own."""
    from openapi_schema_validator import OAS31Validator  # noqa: PLC0415 - it loads grammars for seconds

    document = _closed(app.test_client().get("/openapi.json").get_json())
    seen = 0
    for path, _, operation in _operations(app):
        for status, response in operation["responses"].items():
            for kind, media in response.get("content", {}).items():
                if "json" in kind:
                    assert "example" in media, (path, status)
                    schema = media["schema"] | {"components": document["components"]}
                    OAS31Validator(schema).validate(media["example"])
                    seen += 1
    assert seen > 50


def test_the_redirect_and_the_headers_are_described(app: Flask) -> None:
    """A 302 has a `Location` and no body; refusals that pass say when to come back."""
    described = {(path, method): operation for path, method, operation in _operations(app)}
    responses = described["/api/requests/{request_id}/output.csv", "get"]["responses"]
    assert "content" not in responses["302"]
    assert list(responses["302"]["headers"]) == ["Location"]
    assert list(responses["200"]["content"]) == ["text/csv"]
    assert set(described["/api/upload", "post"]["responses"]["202"]["headers"]) == {"Location", "Idempotent-Replayed"}
    for (path, _), operation in described.items():
        if path.startswith("/api"):
            for status, header in (("401", "WWW-Authenticate"), ("429", "Retry-After"), ("503", "Retry-After")):
                assert header in operation["responses"][status]["headers"], path


@pytest.mark.parametrize("path", ["/api/upload", "/api/validate"])
def test_a_bare_file_is_another_kind_of_body(app: Flask, path: str) -> None:
    """Its options are in the query, and each has the name and the schema of a part."""
    document = app.test_client().get("/openapi.json").get_json()
    operation = document["paths"][path]["post"]
    assert {"multipart/form-data", "text/csv"} <= set(operation["requestBody"]["content"])
    query = {each["name"]: each["schema"] for each in operation["parameters"] if each["in"] == "query"}
    parts = document["components"]["schemas"]["UploadIn"]["properties"]
    assert query.keys() == parts.keys() - {"file"}
    assert all(schema.items() <= parts[name].items() for name, schema in query.items())


def _closed(document: dict[str, Any]) -> dict[str, Any]:
    """The document without the room that it leaves for members of later versions."""
    for schema in document["components"]["schemas"].values():
        schema.setdefault("additionalProperties", False)
    return document


def test_the_browsable_api_needs_no_other_host(app: Flask) -> None:
    """The server itself serves every file the page names, and the page has no inline script."""
    page = app.test_client().get("/docs").get_data(as_text=True)
    assert "://" not in page
    assert "<script>" not in page
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "contrast.css", "start.js", "favicon-32x32.png"):
        assert name in page
        assert app.test_client().get(f"/static/swagger-ui/{name}", buffered=True).status_code == 200


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.exhaustive
def test_responses_match_the_document(app: Flask) -> None:
    """No input to any operation leads to a server error or to an undocumented response."""
    for found in _schema(app).get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path != "/metrics":  # answers 503 here, as Redis is down
            _fuzz(operation)


@pytest.mark.exhaustive
def test_responses_match_the_document_where_keys_are_required(app: Flask) -> None:
    """The same holds with and without a valid key; without one, every API call is refused with 401."""
    secured = create_app(replace(app.extensions["services"].settings, api_keys_required=True))
    with secured.app_context():
        headers = {"Authorization": f"Bearer {create_key('fuzzer')}"}
    for found in _schema(secured).get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path != "/metrics":
            _fuzz(operation, headers=headers)
            if operation.path.startswith("/api"):
                _fuzz(operation, only=401)


def _schema(app: Flask) -> Any:
    """The document as schemathesis reads it; a member that it does not name is an error."""
    schema = schemathesis.openapi.from_dict(_closed(app.test_client().get("/openapi.json").get_json()))
    schema.app = app
    return schema


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
