"""Drawings that use what librsvg does not draw are refused by name, and those that give it something else are not."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.child_process.svg import with_font_size
from imgproc.pipeline.images.child_process.svg_features import check_features
from tests.support.other_pictures import svg
from tests.support.rendered import on_white, refused

RECT = "<rect width='9' height='9' %s/>"
REFUSED = {
    "text on a path": "<text><textPath href='#p'>Sale</textPath></text>",
    "HTML (foreignObject)": "<foreignObject width='9' height='9'><p xmlns='http://www.w3.org/1999/xhtml'/></foreignObject>",
    "the function var()": RECT % "style='fill:var(--brand)'",
    "the function calc()": f"<style>rect{{width:calc(1px + 1px)}}</style>{RECT % ''}",
    "the function color()": RECT % "fill='color(display-p3 1 0 0)'",
    "the function oklch()": RECT % "style='stroke:red;fill:OKLCH(60% 0.2 30)'",
    "the function lab()": "<stop stop-color='lab(50% 80 60)'/>",
    "the CSS @media": f"<style>@media (min-width:50px){{rect{{fill:red}}}}</style>{RECT % ''}",
    "the CSS @supports": "<style>@supports (fill:red){rect{fill:red}}</style>",
    "the CSS :is": "<style>:is(rect,circle){fill:red}</style>",
    "a CSS shape to clip by": RECT % "style='clip-path:circle(4px)'",
    "a path in CSS": "<style><![CDATA[path{d:path('M0 0')}]]></style>",
    "a CSS filter of colours": RECT % "style='filter:grayscale(1)'",
    "the CSS :nth-child": "<style>rect:nth-child(2 of .a){fill:red}</style>",
    "nested CSS rules": "<style>g{rect{fill:red}}</style>",
    "the CSS property rotate": RECT % "style='rotate:20deg'",
    "the CSS property mask": RECT % "style='mask:linear-gradient(#000, transparent)'",
    "the CSS keyword initial": "<style>rect{fill:initial}</style>",
    "the unit rem": RECT % "x='2rem'",
    "the unit vw": RECT % "style='stroke-width:2vw'",
    "colours that mix in linear light (color-interpolation)": "<mask color-interpolation='linearRGB'/>",
    "a style sheet for other media": "<style media='print'>rect{fill:red}</style>",
    "a style sheet in another language": "<style type='text/less'>rect{fill:red}</style>",
    "a filter of other pictures": "<filter><feBlend in2='BackgroundImage'/></filter>",
    "a pattern with margins": "<pattern patternUnits='userSpaceOnUse' width='20' height='10' viewBox='0 0 9 9'/>",
    "a symbol with a size of its own": "<symbol id='a' width='9' height='9'/><use href='#a'/>",
    "dashes by pathLength": "<path d='M0 0h9' pathLength='1' stroke-dasharray='1'/>",
    "transform-origin": RECT % "style='transform:rotate(9deg);transform-origin:center'",
}
HIDDEN_AWAY = {
    "nested CSS rules": "<style>a\\'{fill:red} g{rect{fill:red}}</style>",
    "the function var()": "<style>rect{fill:var(--x)</style>",
    "the CSS property translate": RECT % "style='translate:0 1px'",
    "the CSS property scale": RECT % "style='scale:0'",
    "dashes by pathLength": "<path d='M0 0h9' pathLength='1' style='stroke-dasharray : 1'/>",
}
DRAWN = {
    "HTML with a switch": "<switch><foreignObject/><text>Sale</text></switch>",
    "HTML for another program": "<foreignObject requiredExtensions='http://ns.adobe.com/AdobeIllustrator/10.0/'/>",
    "a colour after its fallback": RECT % "style='fill:#c86432;fill:color(display-p3 0.78 0.39 0.2)'",
    "a colour beside its fallback": RECT % "fill='#fff' style='fill:light-dark(#fff, #000)'",
    "dark mode": "<style>@media (prefers-color-scheme: dark){rect{fill:var(--x)} a{fill:red}} rect{fill:red}</style>",
    "print": "<style>@media print{rect{fill:red}}</style>",
    "an animation": "<style>@keyframes turn{from{transform:rotate(0)}to{transform:rotate(9deg)}}</style>",
    "the origin of an animation": RECT % "style='transform-origin:center;animation:turn 2s'",
    "a variable that nothing uses": "<style>rect{--x:calc(1px)}</style>",
    "a comment": "<style>/* @media all{} */ rect{fill:red}</style>",
    "a clip path": RECT % "style='clip-path:url(#c);filter:blur(2px)'",
    "a pattern without margins": "<pattern patternUnits='userSpaceOnUse' width='20' height='10' viewBox='0 0 2 1'/>",
    "a symbol that is used at a size": "<symbol id='a' width='9' height='9'/><use href='#a' width='9' height='9'/>",
    "a style sheet for screens": "<style type='text/css' media='screen'>rect{fill:red}</style>",
    "no turn": RECT % "style='rotate:0deg;translate:0 0.0px'",
    "a style sheet for screens, too": "<style media='all,screen'>rect{fill:red}</style>",
    "no dashes by pathLength": "<path d='M0 0h9' pathLength='1' stroke-dasharray='none'/>",
    "braces in strings": """<style>a{content:'{'} b{content:"{\\"{"} c\\'{fill:red}</style>""",
    "text about functions": "<text>var(x) calc(y)</text>",
}


@pytest.mark.parametrize("name", REFUSED)
def test_names_what_only_browsers_draw(name: str) -> None:
    """Drawn by librsvg, it is missing or black."""
    with pytest.raises(CompressError) as caught:
        check_features(svg(REFUSED[name]))
    assert caught.value.code == "unsupported_format"
    assert f"uses {name}, " in caught.value.detail


@pytest.mark.parametrize("name", HIDDEN_AWAY)
def test_names_it_beside_what_looks_harmless(name: str) -> None:
    """Escapes are no strings, and the end of the sheet closes a rule."""
    with pytest.raises(CompressError, match=re.escape(f"uses {name}, ")):
        check_features(svg(HIDDEN_AWAY[name]))


@pytest.mark.parametrize("name", DRAWN)
def test_draws_what_has_something_else_to_show(name: str) -> None:
    """Programs write it for viewers like librsvg."""
    check_features(svg(DRAWN[name]))


@pytest.mark.parametrize(
    ("attributes", "is_refused"),
    [
        ("style='background:#eef'", True),
        ("style='width:9px; background-color: red'", True),
        ("style='background: white'", False),
        ("style='background-color:#FFFFFF'", False),
        ("transform='rotate(9)'", True),
        ("style='border: none; padding: 0; outline :  none'", False),
        ("style='padding:0px;border:0.0em solid'", False),
        ("style='padding:0.5em'", True),
        ("style='border: 1px solid'", True),
    ],
)
def test_a_background_and_a_transform_of_the_whole(attributes: str, is_refused: bool) -> None:
    """White makes no difference on a page."""
    source = svg(attributes=f"width='9' height='9' {attributes}")
    if is_refused:
        with pytest.raises(CompressError, match="only browsers"):
            check_features(source)
    else:
        check_features(source)


@pytest.mark.parametrize(
    ("attributes", "body"),
    [
        ("width='9' height='9' style='width:2rem;height:calc(1px + 1px)'", ""),
        ("width='9' height='9'", "<style>svg{width:100vw} :root { height: 50vh }</style>"),
    ],
)
def test_the_size_in_css_is_no_feature(attributes: str, body: str) -> None:
    """The attributes count."""
    assert on_white(svg(body, attributes), is_apart=True).shape == (9, 9, 3)


@pytest.mark.parametrize(
    "drawing",
    [
        svg("<style>svg{width:100vw}</style>", "viewBox='0 0 9 9'"),
        svg("<style>svg{width:100vw}</style><svg/>", "width='9' height='9'"),
        svg("<style>rect{width:100vw}</style>", "width='9' height='9'"),
    ],
)
def test_other_sizes_in_css_are_features(drawing: bytes) -> None:
    """The attributes state no size, or not that of the element."""
    assert "the unit vw" in refused(drawing).detail


@pytest.mark.parametrize("unit", ["/* ", ":nth-child(2 ", "@keyframes a ", "@media print ", "\\'", "a'", "{"])
def test_reads_a_hostile_sheet_once(unit: str) -> None:
    """Read once for each of its parts, it would take minutes."""
    with suppress(CompressError):
        check_features(svg(f"<style>{unit * 100_000}</style>"))


def test_refuses_the_picture() -> None:
    """The error says what to do."""
    error = refused(svg(REFUSED["the function var()"]))
    assert error.code == "unsupported_format"
    assert "export it as PNG" in error.detail


@pytest.mark.parametrize("before", ["", "<?xml version='1.0'?><!-- <svg> -->"])
def test_text_without_a_size_has_that_of_browsers(before: str) -> None:
    """16 pixels, unless the drawing states another."""
    plain, stated = svg("<text y='20'>Sale</text>"), svg("<text y='20' font-size='16'>Sale</text>")
    assert (on_white(before.encode() + plain) == on_white(stated)).all()
    other = svg("<text y='20'>Sale</text>", attributes='width="64" height="32" font-size="9"')
    assert with_font_size(other) == other
