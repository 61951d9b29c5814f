"""Sends calls to the API, again where that is safe, and turns what fails into `ApiError`."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import IO, Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError, NewConnectionError

from imgproc.client.api_errors import UNREACHABLE, ApiError, Json, NoAnswer, error_of, unexpected
from imgproc.core.hosts import bracketed, is_loopback

CONNECT_TIMEOUT = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds between two tries; a server that asks for more is not asked again
AGAIN = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE}
AGAIN_IF_REPEATABLE = {HTTPStatus.GATEWAY_TIMEOUT}
PIECE = 256 * 1024  # bytes
KEY = re.compile(r"[!-~]+")

OnPause = Callable[[ApiError, float], None]


class Transport:
    """A session with one server. `timeout` is in seconds without a byte; `retries` are tries after the first.

    `on_pause` is called before each further try with the error and the seconds until then.

    Raises:
        ValueError: the address or the key is malformed.
    """

    def __init__(self, url: str, *, key: str | None, timeout: float, retries: int, on_pause: OnPause | None) -> None:
        self.url = _base_url(url)
        self._timeout, self._retries = (CONNECT_TIMEOUT, timeout), retries
        self._on_pause = on_pause or (lambda _error, _pause: None)
        self._answered = False
        self._session = requests.Session()
        # No proxy reaches a stack on this machine.
        self._session.trust_env = not is_loopback(bracketed(urlsplit(self.url).hostname or ""))
        self._session.auth = _Bearer(key)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def read(self, method: str, path: str, *, repeatable: bool = True, **parts: Any) -> tuple[Json, requests.Response]:
        """Make a call; the JSON object of the answer, and the answer. Raises ApiError."""
        response = self.send(method, path, repeatable=repeatable, **parts)
        try:
            body = json.loads(response.content)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise unexpected(response)
        return body, response

    def send(self, method: str, path: str, *, repeatable: bool = True, **parts: Any) -> requests.Response:
        """Make a call until it is answered. One that is not `repeatable` is sent again only if it did nothing.

        A server that has not answered yet is not waited for: the address may be wrong.

        Raises:
            ApiError: the API refused it.
            NoAnswer: nothing answered, or not imgproc.
        """
        pauses = _pauses()
        for left in reversed(range(self._retries + 1)):
            try:
                return self._once(method, path, repeatable=repeatable, **parts)
            except _Again as again:
                error: ApiError = again.error
                pause = error.retry_after or next(pauses)
                if not left or pause > LONGEST_PAUSE:
                    raise error from error.__cause__
                self._on_pause(error, pause)
                time.sleep(pause)
        raise AssertionError("unreachable: the last try returns or raises")

    def fetch(self, path: str, to: IO[bytes]) -> int:
        """Write the body of an answer to an empty file, following redirects. Returns its size. Raises ApiError."""
        for left in reversed(range(self._retries + 1)):
            response = self.send("GET", path, allow_redirects=True, stream=True)
            try:
                with response:
                    for piece in response.iter_content(PIECE):
                        to.write(piece)
                return to.tell()
            except (requests.RequestException, HTTPError) as error:
                if not left:
                    raise NoAnswer(f"{self.url} broke off its answer; try again.", code=UNREACHABLE) from error
                to.seek(0)
                to.truncate()
        raise AssertionError("unreachable: the last try returns or raises")

    def _once(self, method: str, path: str, *, repeatable: bool, **parts: Any) -> requests.Response:
        parts = {"allow_redirects": False, "timeout": self._timeout, **parts}
        try:
            response = self._session.request(method, self.url + path, **parts)
        except (requests.exceptions.InvalidHeader, UnicodeError) as error:
            detail = "A header holds characters that HTTP does not carry; use printable ASCII characters."
            raise ApiError(detail, code="invalid_option") from error
        except requests.RequestException as error:
            never_sent = _never_sent(error)
            failure = self._no_answer(error)
            failure.__cause__ = error
            if self._answered if never_sent else repeatable:
                raise _Again(failure) from error
            raise failure from error
        self._answered = True
        if response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            return response
        failed = error_of(response)
        if failed.code == "not_found":
            failed.detail += f" The address called was {self.url}{path}."
        if response.status_code in AGAIN or (repeatable and response.status_code in AGAIN_IF_REPEATABLE):
            raise _Again(failed)
        raise failed

    def _no_answer(self, error: requests.RequestException) -> NoAnswer:
        if isinstance(error, requests.exceptions.SSLError):
            detail = f"{self.url} has no certificate that this machine trusts; check the address and its scheme."
        elif isinstance(error, requests.ReadTimeout):
            detail = f"{self.url} did not answer within {self._timeout[1]:g} s; try again, or check its load."
        else:
            detail = f"{self.url} does not answer: is imgproc running there? ({type(error).__name__})"
        return NoAnswer(detail, code=UNREACHABLE)


class _Again(Exception):
    """A further try may succeed."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(str(error))
        self.error = error


class _Bearer(requests.auth.AuthBase):
    """Sends the key, if there is one. Without this, requests would send what ~/.netrc has for the host."""

    def __init__(self, key: str | None) -> None:
        if key and not KEY.fullmatch(key):
            raise ValueError("The API key holds characters that no key has, such as a space; copy it again.")
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request


def _base_url(url: str) -> str:
    """The address without a slash at its end.

    Raises:
        ValueError: it is not one of HTTP.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"{url!r} is no address of a server; write one like http://127.0.0.1:8000.")
    return url.rstrip("/")


def _never_sent(error: requests.RequestException) -> bool:
    """Whether no connection was made, so that nothing can have happened."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.ConnectTimeout) or isinstance(reason, NewConnectionError)


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)
