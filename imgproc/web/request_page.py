"""The pages of one request: its progress, its pictures and failures, its products, its webhooks, its file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apiflask import APIBlueprint
from flask import Response, render_template, request

from imgproc.api.deliveries import page_of
from imgproc.api.problems import Problem
from imgproc.api.requests import get_failed_csv, get_output_csv, get_output_xlsx
from imgproc.api.views import decode_cursor, encode_cursor, find_request, invalid_cursor
from imgproc.db import gallery, reads
from imgproc.db.models import ProcessingRequest
from imgproc.db.statuses import ImageStatus, ProductStatus
from imgproc.web.curl import command, json_command
from imgproc.web.request_view import progress_context, progress_response
from imgproc.web.texts import N_, gettext

PICTURES = 24  # of a page
PRODUCTS = 25  # of a page; of each up to MOST_IMAGES are shown
MOST_IMAGES = 4
MAX_ID_DIGITS = 18  # a database has ids of 64 bits
GROUPS = 12  # of failures
DELIVERIES = 10
FILTERS = {"all": None, "failed": ImageStatus.FAILED, "done": ImageStatus.COMPLETED}
# What the pages say after an action, by the name in their query; and once the request has ended.
MESSAGES = {
    "retried": N_("The failed images are being tried again."),
    "cancelled": N_("Cancelled. What is done stays; what has not started will not."),
    "resent": N_("The webhook is being sent again."),
}
AT_THE_END = MESSAGES | {"retried": N_("The failed images were tried again.")}

blueprint = APIBlueprint("request_page", __name__, enable_openapi=False, url_prefix="/requests/<request_id>")


@blueprint.get("")
def show_request(request_id: str) -> str:
    """The progress, the failures by cause and host, and the pictures, worst first."""
    found = find_request(request_id)
    show = request.args.get("show", "all")
    show = show if show in FILTERS else "all"
    groups = gallery.failure_groups(found.id) if found.images_failed else []
    gallery.add_examples(groups[:GROUPS])
    pictures, pages = pictures_of(found, show)
    return render_template(
        "request.html",
        **progress_context(found),
        tab="pictures",
        message=message(AT_THE_END if reads.has_ended(found) else MESSAGES),
        groups=groups[:GROUPS],
        groups_total=len(groups),
        is_partial=found.images_failed > gallery.MOST_FAILED,
        pictures=pictures,
        pages=pages,
        show=show,
    )


@blueprint.get("/progress")
def show_progress(request_id: str) -> Response:
    """The part of the page that changes while a request runs, to be polled: 304 if nothing changed.

    `Retry-After` says when to ask again; without it the request has ended.
    """
    return progress_response(find_request(request_id))


@blueprint.get("/products")
def show_products(request_id: str) -> str:
    """The products in row order, each with its images."""
    found = find_request(request_id)
    status = request.args.get("status", "")
    statuses = [ProductStatus(status)] if status in set(ProductStatus) else []
    after = _row(request.args["after"]) if request.args.get("after") else 0
    products = reads.products(found.id, statuses=statuses, after_row=after, limit=PRODUCTS + 1)
    page = products[:PRODUCTS]
    return render_template(
        "products.html",
        **progress_context(found),
        tab="products",
        products=page,
        most_images=MOST_IMAGES,
        status=status if statuses else "",
        statuses=[each.value for each in ProductStatus],
        next_cursor=encode_cursor(page[-1][0].row) if len(products) > len(page) else None,
        is_later_page=after > 0,
    )


@blueprint.get("/webhook")
def show_webhook(request_id: str) -> str:
    """The deliveries of the webhook with their attempts, and a test."""
    return render_webhook(find_request(request_id))


def render_webhook(found: ProcessingRequest, **context: Any) -> str:
    """The page of the webhook."""
    deliveries = page_of(found.id, limit=DELIVERIES, cursor=request.args.get("after") or None)
    return render_template(
        "webhook.html",
        **progress_context(found),
        tab="webhook",
        message=message(MESSAGES),
        deliveries=deliveries["items"],
        next_cursor=deliveries["nextCursor"],
        list_command=command("deliveries.list_deliveries", request_id=found.id),
        test_command=json_command("pings.ping_receiver", {"url": found.webhook_url or ""}),
        **context,
    )


@blueprint.get("/file")
def show_file(request_id: str) -> str:
    """How the file was read, the options, and when what happened."""
    found = find_request(request_id)
    return render_template(
        "request_file.html",
        **progress_context(found),
        tab="file",
        status_command=command("status.get_status", request_id=found.id),
    )


@blueprint.get("/output.csv")
def download_output(request_id: str) -> Any:
    """The output CSV."""
    return get_output_csv(request_id)


@blueprint.get("/failed.csv")
def download_failed(request_id: str) -> Any:
    """The rows that failed, as a CSV that can be uploaded as it is."""
    return get_failed_csv(request_id)


@blueprint.get("/output.xlsx")
def download_workbook(request_id: str) -> Any:
    """The workbook."""
    return get_output_xlsx(request_id)


def message(texts: Mapping[str, str]) -> str | None:
    """What a page says after an action, by the name in its query."""
    text = texts.get(request.args.get("did", ""))
    return gettext(text) if text else None


def pictures_of(found: ProcessingRequest, show: str) -> tuple[list[gallery.Shown], dict[str, str | None]]:
    """A page of pictures, and the values of the query `at` for the pages before and after it."""
    at, status = request.args.get("at", ""), FILTERS[show]
    if found.images_total <= gallery.MOST_SORTED:
        number = int(at) if at.isdecimal() and len(at) < 5 else 0
        pictures = gallery.worst(found.id, status=status, limit=PICTURES + 1, offset=number * PICTURES)
        previous = str(number - 1) if number else None
        return pictures[:PICTURES], {"before": previous, "after": str(number + 1) if pictures[PICTURES:] else None}
    after = _place(at) if at else (0, 0)
    pictures = gallery.in_row_order(found.id, status=status, limit=PICTURES + 1, after=after)
    last = pictures[PICTURES - 1] if pictures[PICTURES:] else None
    following = encode_cursor(last.row, last.image.position) if last else None
    return pictures[:PICTURES], {"before": "" if at else None, "after": following}


def _place(cursor: str) -> tuple[int, int]:
    row, position = decode_cursor(cursor, parts=2)
    if not (row.isdecimal() and position.isdecimal()) or max(len(row), len(position)) > 9:
        raise invalid_cursor()
    return int(row), int(position)


def _row(cursor: str) -> int:
    (row,) = decode_cursor(cursor, parts=1)
    if not row.isdecimal() or len(row) > 9:
        raise invalid_cursor()
    return int(row)


def find_shown(request_id: str, image_id: str) -> gallery.Shown:
    """An image of the caller's request.

    Raises:
        Problem: 404 `image_not_found`.
    """
    return shown_in(find_request(request_id), image_id)


def shown_in(found: ProcessingRequest, image_id: str) -> gallery.Shown:
    """An image of a request.

    Raises:
        Problem: 404 `image_not_found`.
    """
    is_id = image_id.isdecimal() and len(image_id) <= MAX_ID_DIGITS
    shown = gallery.find_image(found.id, int(image_id)) if is_id else None
    if shown is None:
        raise Problem(404, "image_not_found", N_("This request has no such image; go back to its page."))
    return shown
