"""What the tests of the pages share: a stack, a host of pictures, and a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.support.image_host import ImageHost, open_image_host
from tests.support.stack import Stack, running_stack

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.browser import Visitor

Visit = Callable[..., "AbstractContextManager[Visitor]"]


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack."""
    from tests.support.browser import find_browser  # noqa: PLC0415 - playwright may be missing

    find_browser()  # before the stack is started for nothing
    with running_stack(tmp_path_factory.mktemp("console") / "var") as stack:
        yield stack


@pytest.fixture(scope="module")
def the_shop() -> Iterator[ImageHost]:
    """The host of pictures that the tests of a module share."""
    with open_image_host() as shop:
        yield shop


@pytest.fixture
def shop(the_shop: ImageHost) -> ImageHost:
    """The host of pictures, reset."""
    the_shop.reset()
    return the_shop


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser."""
    from tests.support.browser import running_browser  # noqa: PLC0415 - playwright may be missing

    with running_browser() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser, console: Stack) -> Visit:
    """Opens a page in the browser; keywords are those of a playwright context."""
    from tests.support.browser import visiting  # noqa: PLC0415 - playwright may be missing

    return partial(visiting, browser, console.url)
