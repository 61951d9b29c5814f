"""The words of the pages for statuses, failures and delimiters."""

from __future__ import annotations

from imgproc.web.texts import N_, gettext

STATUS_TEXTS = {
    "pending": N_("Waiting to start"),
    "processing": N_("In progress"),
    "finalizing": N_("Writing files"),
    "completed": N_("Done"),
    "completed_with_errors": N_("Done, some failed"),
    "failed": N_("Failed"),
    "cancelled": N_("Cancelled"),
}
STATUS_TONES = {
    "pending": "live",
    "processing": "live",
    "finalizing": "live",
    "completed": "good",
    "completed_with_errors": "warn",
    "failed": "bad",
    "cancelled": "plain",
}
WORDS = {
    "pending": N_("Pending"),
    "processing": N_("Processing"),
    "queued": N_("Queued"),
    "sending": N_("Sending"),
    "completed": N_("Completed"),
    "failed": N_("Failed"),
    "skipped": N_("Skipped"),
    "cancelled": N_("Cancelled"),
    "delivered": N_("Delivered"),
    "active": N_("Active"),
    "expired": N_("Expired"),
    "revoked": N_("Revoked"),
}


def word(state: str) -> str:
    """The state of a product, an image, a delivery or a key."""
    return gettext(WORDS.get(state, state.capitalize()))


DELIMITERS = {
    ",": N_("separated by commas"),
    ";": N_("separated by semicolons"),
    "\t": N_("separated by tabs"),
    "|": N_("separated by vertical bars"),
}


def separated_by(delimiter: str) -> str:
    """What is between the cells of a line."""
    known = DELIMITERS.get(delimiter)
    return gettext(known) if known else gettext("separated by “%(character)s”", character=delimiter)


def status_text(status: str) -> str:
    """The status of a request in words."""
    return gettext(STATUS_TEXTS[status])


def status_tone(status: str) -> str:
    """The tone of the pill that shows the status of a request."""
    return STATUS_TONES[status]


FAILURE_TITLES = {
    "invalid_url": N_("The address is not a URL"),
    "forbidden_address": N_("The address may not be reached"),
    "dns_failed": N_("The host name does not exist"),
    "connect_failed": N_("The host cannot be reached"),
    "tls_failed": N_("The host's certificate is wrong"),
    "timeout": N_("The host did not answer in time"),
    "too_slow": N_("The host sends too slowly"),
    "too_many_redirects": N_("The address redirects in circles"),
    "http_401": N_("The host wants a password"),
    "http_403": N_("The host refuses to give the picture"),
    "http_404": N_("The picture is not there"),
    "http_410": N_("The picture was removed"),
    "http_429": N_("The host asks for fewer requests"),
    "not_an_image": N_("The address does not lead to a picture"),
    "unsupported_format": N_("The format cannot be read"),
    "file_too_large": N_("The picture has too many bytes"),
    "too_many_pixels": N_("The picture has too many pixels"),
    "corrupt_image": N_("The picture is damaged"),
    "truncated_image": N_("The picture is cut off"),
    "encode_failed": N_("The picture could not be written"),
    "worker_lost": N_("Our worker stopped while making it"),
    "cancelled": N_("Cancelled before it was started"),
    "bot_blocked": N_("The host blocks programs"),
    "login_required": N_("The host wants a login"),
    "host_unavailable": N_("The host was away for too long"),
}


def failure_title(code: str) -> str:
    """Why an image failed, in a few words."""
    if title := FAILURE_TITLES.get(code):
        return gettext(title)
    if code.startswith("http_"):
        return gettext("The host answers with an error, HTTP %(status)s", status=code.removeprefix("http_"))
    return code.replace("_", " ").capitalize()
