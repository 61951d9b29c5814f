"""The console, from a chosen file to its start: reading, choosing columns, options, thumbnails, and who may see it."""

from __future__ import annotations

import html
import io
import re
import threading
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from flask import current_app
from PIL import Image

from imgproc.api.inputs import UploadIn
from imgproc.core.errors import HostWait
from imgproc.db.models import ProcessingRequest
from imgproc.journey import delete, previews
from imgproc.journey.services import services
from imgproc.web.option_fields import ABOUT_THE_FILE
from tests.integration.driver import configure, drain, get, pass_time, row, rows, status_of, the_app
from tests.integration.pages import ask, text_of
from tests.support import visitor
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost
from tests.support.processes import wait_until
from tests.support.s3 import ObjectStore

pytestmark = pytest.mark.usefixtures("app")

TWO_COLUMNS = "Key,Label,Pictures A,Pictures B\n1,Mug,{0}/chelsea.jpg,{0}/coffee.png\n"
# Thumbnails may not reach these, whatever a file says.
HOSTILE = (
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/x.jpg",
    "http://[::1]/x.jpg",
    "http://localhost./x.jpg",
    "http://0x7f000001/x.jpg",
    "http://[::ffff:10.0.0.1]/x.jpg",
    "http://[64:ff9b::10.0.0.1]/x.jpg",
)


def choose(content: str, *, name: str = "products.csv") -> str:
    """Choose a file on the start page; the path of the page that shows how it is read."""
    response = ask("/", method="POST", data={"file": (io.BytesIO(content.encode()), name)})
    assert response.status_code == 303, response.text
    path: str = response.location
    return path


def test_the_start_page_has_one_file_input_and_answers_json_with_links() -> None:
    """Both come from the same address."""
    page = ask("/")
    assert page.text.count('type="file"') == 1
    answer: Any = current_app.test_client().get("/", headers={"Accept": "application/json"})
    assert answer.json["links"]["upload"].endswith("/api/upload")
    assert "Accept" in answer.vary, "a cache would give the page to programs"
    assert "Accept" in page.vary


def test_a_file_is_started_from_its_page(shop: ImageHost) -> None:
    """The request has the options of the form, and its page counts its images and links its output."""
    path = choose(csv_of(f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg"))
    assert "Start 2 images" in text_of(path)
    assert not get("/api/requests")["items"]
    started = ask(f"{path}/start", method="POST", data={"format": "webp", "quality": "smart", "scale": "0.25"})
    assert (started.status_code, started.location.rpartition("/")[0]) == (303, "/requests")
    request_id = started.location.rpartition("/")[2]
    assert status_of(request_id)["options"] | {"format": "webp", "quality": "smart"} == status_of(request_id)["options"]
    drain(request_id)
    page = text_of(started.location)
    assert "1 of 2 images" in page
    assert "answered 404 instead of a picture" in page
    assert "Download CSV" in page


def test_two_clicks_start_one_request(shop: ImageHost) -> None:
    """The second leads to the same request, and so does the page of the file."""
    path = choose(csv_of(f"{shop.url}/chelsea.jpg"))
    first, second = (ask(f"{path}/start", method="POST") for _ in range(2))
    assert first.location == second.location == ask(path).location
    assert len(get("/api/requests")["items"]) == 1


def test_another_column_is_read_when_it_is_chosen(shop: ImageHost) -> None:
    """The reader finds no product names in this file, so the page offers its headings."""
    path = choose(TWO_COLUMNS.format(shop.url))
    assert "It cannot start yet" in text_of(path)
    columns = {"column.serialNumber": "Key", "column.productName": "Label", "column.inputImageUrls": "Pictures B"}
    again = ask(f"{path}/read", method="POST", data=columns | {"quality": "80"})
    assert again.status_code == 303
    assert again.location.endswith("?quality=80")
    assert "Start 1 image" in text_of(again.location)
    request_id = ask(f"{path}/start", method="POST").location.rpartition("/")[2]
    assert drain(request_id)["status"] == "completed"
    assert shop.asked.keys() & {"/chelsea.jpg", "/coffee.png"} == {"/coffee.png"}


def test_faults_are_shown_in_their_rows_and_left_out_by_the_start(shop: ImageHost) -> None:
    """Without the bad row, the request has the good one alone."""
    path = choose(f"SKU,Title,Images\n1,Mug,{shop.url}/chelsea.jpg\n2,Cup,C:\\cup.jpg\n")
    page = text_of(path)
    assert "Line 3" in page
    assert page.count("is a file on a computer") == 2
    assert "Start without that row" in page
    request_id = ask(f"{path}/start", method="POST", data={"invalidRows": "skip"}).location.rpartition("/")[2]
    assert drain(request_id)["progress"]["products"]["total"] == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("%PDF-1.4 a catalogue", "PDF", id="another kind of file"),
        pytest.param("<html><body>Sign in</body></html>", "HTML", id="a page"),
    ],
)
def test_what_is_no_table_is_refused_on_the_start_page(content: str, said: str) -> None:
    """Nothing is kept of it."""
    response = ask("/", method="POST", data={"file": (io.BytesIO(content.encode()), "catalogue.csv")})
    assert response.status_code == 200
    assert said in response.text
    assert not rows(ProcessingRequest)


def test_a_wrong_option_is_explained_beside_its_field() -> None:
    """Nothing starts."""
    path = choose(csv_of("https://shop.example/a.jpg"))
    response = ask(f"{path}/start", method="POST", data={"quality": "awful", "webhookUrl": "shop.example/hook"})
    assert "Give a whole number from 1 to 95, or smart" in response.text
    assert not get("/api/requests")["items"]


def test_the_page_has_a_field_for_every_option_of_an_upload() -> None:
    """An option that is added to the schema appears by itself."""
    page = ask(choose(csv_of("https://shop.example/a.jpg"))).text
    for name in UploadIn().fields.keys() - set(ABOUT_THE_FILE):
        assert f'name="{name}"' in page, name


def test_a_file_that_is_not_started_is_deleted_after_an_hour(objects: ObjectStore) -> None:
    """Its object goes, too, and its page says so."""
    path = choose(csv_of("https://shop.example/a.jpg"))
    draft_id = path.rpartition("/")[2]
    assert objects.keys(draft_id)
    pass_time(3700)
    response = ask(path)
    assert response.status_code == 404
    assert "deleted after an hour" in response.text
    delete.remove_due()
    assert not objects.keys(draft_id)


def test_a_draft_is_no_request() -> None:
    """Neither the API nor the page of requests knows it."""
    draft_id = choose(csv_of("https://shop.example/a.jpg")).rpartition("/")[2]
    client = current_app.test_client()
    assert {client.get(f"{path}/{draft_id}").status_code for path in ("/api/status", "/requests")} == {404}


def test_a_thumbnail_is_a_small_jpeg_of_a_picture_of_the_file(shop: ImageHost) -> None:
    """It is asked for by the line of the file and the position in its cell; nothing else can be asked for."""
    path = choose(csv_of([f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg"]))
    picture = ask(f"{path}/pictures/2/1")
    assert (picture.status_code, picture.content_type) == (200, "image/jpeg")
    assert max(Image.open(io.BytesIO(picture.data)).size) == 160
    assert "404" in ask(f"{path}/pictures/2/2").json["detail"]
    for place in ("2/3", "3/1", "2/0", "-2/1", "2/http:", "x/1"):
        assert ask(f"{path}/pictures/{place}").status_code == 404


@pytest.mark.parametrize("url", HOSTILE)
def test_a_thumbnail_never_comes_from_a_private_address(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The guarded session refuses it, as it does for workers."""
    monkeypatch.setitem(current_app.extensions, "previews", None)
    previews.init_app(the_app(), replace(services().settings, allowed_networks=()))
    path = choose(csv_of(url))
    answer = ask(f"{path}/pictures/2/1")
    if answer.status_code == 404:  # the reader has refused the URL already
        return
    assert answer.json["code"] in {"forbidden_address", "invalid_url"}


def test_a_thumbnail_is_never_a_page(shop: ImageHost) -> None:
    """What the host sends is decoded and encoded again, so no byte of it reaches the browser."""
    shop.says("/evil.jpg", Answer(body=b"<html><script>alert(1)</script>", headers={"Content-Type": "text/html"}))
    path = choose(csv_of(f"{shop.url}/evil.jpg"))
    assert ask(f"{path}/pictures/2/1").json["code"] == "not_an_image"


def test_a_picture_is_tried_with_the_options(shop: ImageHost) -> None:
    """The first that can be made is shown before and after; nothing starts, and the options stay."""
    path = choose(csv_of(f"{shop.url}/missing.jpg", f"{shop.url}/chelsea.jpg"))
    page = ask(f"{path}/preview", method="POST", data={"format": "webp", "scale": "1"}).text
    assert "data:image/webp;base64," in page
    assert "451 × 300 WEBP" in html.unescape(page)  # noqa: RUF001 - as the page writes it
    assert re.search(r'value="webp" selected', page)
    assert not get("/api/requests")["items"]
    assert ask(f"{path}/preview").location == path


def test_a_preview_waits_for_the_thumbnails_of_its_page(shop: ImageHost) -> None:
    """They hold all slots for a moment; a thumbnail is not waited for, because the page asks again by itself."""
    path = choose(csv_of(f"{shop.url}/chelsea.jpg"))
    slots = current_app.extensions["thumbnail_slots"]
    with ExitStack() as held:
        for number in range(slots._total):
            held.enter_context(slots.hold(f"caller {number}"))
        assert ask(f"{path}/pictures/2/1").status_code == 202
        free = held.pop_all().close

        def free_when_waited_for() -> None:
            wait_until(lambda: slots._places == 0)
            free()

        threading.Thread(target=free_when_waited_for).start()
        assert "data:image/jpeg;base64," in ask(f"{path}/preview", method="POST").text


def test_a_preview_waits_a_moment_for_its_host(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its limit is reached by the page's own thumbnails. A host in trouble is not waited for."""
    made, waits = previews.Previews.rendition, [HostWait("", host="h", seconds=0.01), None]

    def rendition(self: previews.Previews, *given: Any) -> Any:
        if wait := waits.pop(0):
            raise wait
        return made(self, *given)

    monkeypatch.setattr(previews.Previews, "rendition", rendition)
    path = choose(csv_of(f"{shop.url}/chelsea.jpg"))
    assert "data:image/jpeg;base64," in ask(f"{path}/preview", method="POST").text
    waits[:] = [HostWait("", host="h", seconds=0.01, trouble="busy")]
    assert "its host needs a pause" in ask(f"{path}/preview", method="POST").text


def test_a_picture_that_cannot_be_tried_says_why(shop: ImageHost) -> None:
    """So does a wrong option."""
    path = choose(csv_of(f"{shop.url}/missing.jpg"))
    assert "answered 404" in ask(f"{path}/preview", method="POST").text
    assert "Give a whole number" in ask(f"{path}/preview", method="POST", data={"quality": "200"}).text


def test_text_of_a_file_is_never_markup() -> None:
    """Names, headings and URLs are escaped."""
    evil = "<img src=x onerror=alert(1)>"
    page = ask(
        choose(f'SKU,Title,Images,"{evil}"\n1,"{evil}",https://shop.example/a.jpg,{evil}\n', name=f"{evil}.csv")
    ).text
    assert "<img src=x" not in page


def test_the_list_finds_requests_by_name_and_state(shop: ImageHost) -> None:
    """Percent signs and underscores mean themselves."""
    for name in ("spring_sale.csv", "autumn.csv"):
        ask(f"{choose(csv_of(f'{shop.url}/chelsea.jpg'), name=name)}/start", method="POST")
    assert "spring_sale.csv" in text_of("/?q=SPRING_")
    assert "autumn.csv" not in text_of("/?q=spring_")
    assert "Nothing matches" in text_of("/?q=%25")
    assert "Nothing matches" in text_of("/?show=done")
    assert text_of("/?show=open").count(".csv") >= 2


def test_the_list_has_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page ends with a link to the next one."""
    monkeypatch.setattr("imgproc.web.start.PAGE", 2)
    for number in range(3):
        ask(f"{choose(csv_of('https://shop.example/a.jpg'), name=f'file{number}.csv')}/start", method="POST")
    first = ask("/").text
    older = re.search(r'href="([^"]*before=[^"#]*)', first)
    assert older
    assert ("file2.csv" in first, "file0.csv" in first) == (True, False)
    assert "file0.csv" in text_of(html.unescape(older[1]))


def test_a_draft_counts_against_the_quota_of_bytes() -> None:
    """A person who chooses files without end fills no disk."""
    configure(max_open_bytes=200)
    content = csv_of("https://shop.example/a.jpg")
    choose(content + " " * (150 - len(content)))
    response = ask("/", method="POST", data={"file": (io.BytesIO(content.encode()), "b.csv")})
    assert response.status_code == 429
    assert row(ProcessingRequest).fingerprint == "draft"


def test_an_unknown_encoding_is_told_at_its_field() -> None:
    """The file stays as it was read."""
    path = choose(csv_of("https://shop.example/a.jpg"))
    page = visitor.text_of(ask(f"{path}/read", method="POST", data={"encoding": "windows-1252x", "quality": "80"}))
    assert "There is no encoding 'windows-1252x'; write windows-1252." in page
    assert "Start 1 image" in page


def test_an_empty_file_is_not_asked_for_its_columns() -> None:
    """Nothing of the form could help."""
    page = ask(choose("")).text
    assert "The file is empty" in page
    assert "Read it again" not in page


def test_the_hosts_of_the_whole_file_are_listed() -> None:
    """Five by name, the most frequent first, and the number of the others; those of bad rows do not count."""
    urls = [f"https://h{number}.example/{place}.jpg" for number in (1, 2, 3, 4, 5, 6) for place in range(10)]
    urls += ["https://H7.example:443/1.jpg"] * 11 + ["ftp://bad.example/x"]
    page = text_of(choose(csv_of(*urls)))
    assert "From h7.example, h1.example, h2.example, h3.example, h4.example, and 2 more." in page
