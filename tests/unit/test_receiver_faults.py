"""What each failure of a webhook tells the person who runs the receiver."""

from __future__ import annotations

import pytest

from imgproc.core.delivery_errors import ReceiverAnswer
from imgproc.pipeline.http.receiver_faults import explain_answer, explain_failure, note_of

URL = "https://shop.example/hooks/images"
HTML = {"Content-Type": "text/html; charset=utf-8"}


def explained(status: int, **headers: str) -> str:
    """What an answer tells; it is one sentence about the receiver and never about pictures."""
    detail = explain_answer(ReceiverAnswer(status, headers, ""), host="shop.example", url=URL)
    assert detail.startswith("Your receiver at shop.example ")
    assert detail.endswith(".")
    assert not {"image", "picture", "make it public"} & set(detail.replace(URL, "").lower().split())
    return detail


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        pytest.param(400, "raw body", id="400"),
        pytest.param(401, "without a login, and check the signature instead", id="401"),
        pytest.param(403, "firewall, bot protection or CSRF", id="403"),
        pytest.param(404, "check the webhook URL", id="404"),
        pytest.param(405, "takes no POST", id="405"),
        pytest.param(407, "without a login", id="407"),
        pytest.param(408, "did not wait", id="408"),
        pytest.param(410, "ends the attempts for good", id="410"),
        pytest.param(413, "20 kB", id="413"),
        pytest.param(415, "application/json", id="415"),
        pytest.param(418, "let it answer 2xx", id="another 4xx"),
        pytest.param(419, "CSRF check refuses", id="Laravel's 419"),
        pytest.param(422, "raw body", id="422"),
        pytest.param(426, "https", id="426"),
        pytest.param(429, "Retry-After", id="429"),
        pytest.param(500, "read the log", id="500"),
        pytest.param(502, "proxy got no answer", id="502"),
        pytest.param(503, "overloaded or stopped", id="503"),
        pytest.param(504, "proxy got no answer", id="504"),
        pytest.param(522, "Cloudflare", id="Cloudflare's 522"),
        pytest.param(599, "read the log", id="another 5xx"),
        pytest.param(700, "let it answer 2xx first", id="no HTTP status"),
        pytest.param(199, "let it answer 2xx", id="below 200"),
    ],
)
def test_every_status_has_a_remedy_for_the_receiver(status: int, remedy: str) -> None:
    """The sentence names the status and what to do."""
    detail = explained(status)
    assert f"answered {status};" in detail
    assert remedy in detail


@pytest.mark.parametrize(
    ("location", "told"),
    [
        pytest.param("/hooks/images/", "redirects to https://shop.example/hooks/images/ (301)", id="a slash"),
        pytest.param("//www.shop.example/h", "redirects to https://www.shop.example/h (301)", id="another host"),
        pytest.param("/login?next=%2Fhooks", "accept the POST without a login", id="a login page"),
        pytest.param("https://sso.example/saml", "accept the POST without a login", id="single sign-on"),
        pytest.param("http://[::1", "redirects to http://[::1 (301)", id="malformed"),
        pytest.param("https://shop.example/blogs", "give its final URL", id="no login"),
    ],
)
def test_a_redirect_names_where_it_leads(location: str, told: str) -> None:
    """The whole address, and the remedy where a login page is behind it."""
    assert told in explained(301, Location=location)


def test_a_redirect_without_a_location_is_told() -> None:
    """304 comes without one, for example."""
    assert "without a Location (304)" in explained(304)


def test_an_html_page_makes_a_website_or_proxy_likely() -> None:
    """The page is told with an error; on a success it is a note."""
    assert "HTML page" in explained(403, **HTML)
    assert note_of(200, HTML)
    assert [note_of(200, {"Content-Type": "application/json"}), note_of(404, HTML), note_of(None, None)] == [None] * 3


@pytest.mark.parametrize(
    ("code", "detail", "told"),
    [
        ("dns_failed", "a.example was not found; check how the host is spelled.", "a.example was not found; check the"),
        ("tls_failed", "a.example expired on 2 May; renew it.", "a.example expired on 2 May; give it a valid cert"),
        ("connect_failed", "a.example refuses connections; check that it is up.", "connections; start it, and let its"),
        ("timeout", "a.example did not answer in time; check.", "in time; check that it is up, and let it answer 2xx"),
        (
            "forbidden_address",
            "a.example is at a private address; use a public URL.",
            "private address; give a webhook",
        ),
        ("invalid_url", "This is not a URL; give one like https://a.example/shoe.jpg.", "like https://shop.example/ho"),
        ("new_code", "Something else; do this.", "Something else; do this."),
    ],
)
def test_what_is_wrong_stays_and_the_remedy_is_about_receivers(code: str, detail: str, told: str) -> None:
    """Failures of the network are told for downloads; only the part up to the semicolon holds for webhooks."""
    assert told in explain_failure(code, detail)
