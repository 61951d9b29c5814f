"""What is sent of a URL, spelling by spelling. The expected targets are those that Chromium sends."""

from __future__ import annotations

import pytest

from imgproc.core.errors import InvalidInput
from imgproc.pipeline.http.urls import MAX_URL_CHARS, join, parse_url

SENT = {
    "an encoded tilde": ("/%7Euser/a.jpg", "/%7Euser/a.jpg"),
    "an encoded slash in lower case": ("/a%2fb.jpg", "/a%2fb.jpg"),
    "an encoded slash in upper case": ("/a%2Fb.jpg", "/a%2Fb.jpg"),
    "UTF-8 encoded in lower case": ("/%c3%a9.jpg", "/%c3%a9.jpg"),
    "Latin-1 encoded": ("/caf%e9.jpg?q=%E9", "/caf%e9.jpg?q=%E9"),
    "brackets": ("/a[1].jpg?s[]=2", "/a[1].jpg?s[]=2"),
    # Chromium encodes this one in a path; the standard does not, and the signature is of what was written.
    "a pipe": ("/a|b.jpg?a|b", "/a|b.jpg?a|b"),
    "an invalid escape": ("/%zz.jpg?%zz", "/%zz.jpg?%zz"),
    "a per cent sign at the end": ("/a%?a%2", "/a%?a%2"),
    "a per cent sign beside an escape": ("/100%-cotton%20shirt.jpg", "/100%-cotton%20shirt.jpg"),
    "a per cent sign beside a space": ("/100% cotton.jpg", "/100%%20cotton.jpg"),
    "a plus": ("/a+b.jpg?c+d", "/a+b.jpg?c+d"),
    "an apostrophe": ("/it's.jpg?it's", "/it's.jpg?it%27s"),
    "a backslash": ("/a\\b.jpg?c\\d", "/a/b.jpg?c\\d"),
    "a tab": ("/a\tb.jpg", "/ab.jpg"),
    "letters beyond ASCII": ("/é ü.jpg?q=é", "/%C3%A9%20%C3%BC.jpg?q=%C3%A9"),
    "Japanese": ("/日本.jpg", "/%E6%97%A5%E6%9C%AC.jpg"),
    "an emoji": ("/😀.jpg", "/%F0%9F%98%80.jpg"),
    "a no-break space": ("/\u00a0nb.jpg", "/%C2%A0nb.jpg"),
    "a zero-width space": ("/a\u200bb.jpg", "/a%E2%80%8Bb.jpg"),
    "a delete character": ("/a\x7fb?\x7f", "/a%7Fb?%7F"),
    "double slashes": ("//x//y.jpg", "//x//y.jpg"),
    "dot segments": ("/a/../b/./c.jpg", "/b/c.jpg"),
    "encoded dot segments": ("/a/%2e%2E/b/%2e/c", "/b/c"),
    "half-encoded dot segments": ("/a/.%2e/b", "/b"),
    "dot segments above the root": ("/../../up.jpg", "/up.jpg"),
    "dot segments and empty ones": ("/a/b/../../..//c", "//c"),
    "dot segments behind backslashes": ("/a/..\\..\\b", "/b"),
    "two dots at the end": ("/a/..", "/"),
    "a dot at the end": ("/a/.", "/a/"),
    "dots that are no segment": ("/a..b/...", "/a..b/..."),
    "dots before an encoded slash": ("/%2e%2e%2fetc", "/%2e%2e%2fetc"),
    "dots in a query": ("/x?a=/../b", "/x?a=/../b"),
    "a fragment": ("/x.jpg#frag?no", "/x.jpg"),
    "an empty query": ("/x.jpg?", "/x.jpg?"),
    "question marks": ("/x.jpg??a=b?c", "/x.jpg??a=b?c"),
    "a query without a path": ("?q", "/?q"),
    "no path": ("", "/"),
    "illegal characters": ('/^`{}<>"?^`{}<>"', "/%5E%60%7B%7D%3C%3E%22?^`{}%3C%3E%22"),
    "reserved characters": ("/a;b=1,2(3)!*~$&@:=", "/a;b=1,2(3)!*~$&@:="),
    "an encoded NUL": ("/%00x", "/%00x"),
    "white space around": ("/trail.jpg \t\r\n", "/trail.jpg"),
    "an S3 signature": (
        "/k%7E/a%2Bb.jpg?X-Amz-Credential=AK%2F20261128%2Fus-east-1%2fs3&X-Amz-Signature=ab%2f+/~%7e|[]",
        "/k%7E/a%2Bb.jpg?X-Amz-Credential=AK%2F20261128%2Fus-east-1%2fs3&X-Amz-Signature=ab%2f+/~%7e|[]",
    ),
    "a lone surrogate": ("/a\ud800b", "/a%3Fb"),
}
HOSTS = {
    "http://EXAMPLE.com": "example.com",
    "http://BÜCHER.example/": "xn--bcher-kva.example",
    "http://bu\u0308cher.example/": "xn--bcher-kva.example",
    "http://faß.example/": "xn--fa-hia.example",
    "http://i❤.example/": "xn--i-7iq.example",
    "http://日本。example/": "xn--wgv71a.example",
    "http://b%C3%BCcher.example/": "xn--bcher-kva.example",
    "http://exa%6dple.com/": "example.com",
    "http://a_b.example/": "a_b.example",
    "http://a.example./": "a.example.",
    "http:\\\\a.example\\x": "a.example",
    "http://a.example:/x": "a.example",
    "http://a.example:00080/x": "a.example",
}
INVALID = [
    "http:/a.example/",
    "http:a.example/",
    "http://@a.example/",
    "http://:@a.example/",
    "http://a.example:x/",
    "http://a.example:99999/",
    "http://a.example:" + "9" * 5000,
    "http://a%zz.example/",
    "http://a%2fb.example/",
    "http://a%40b.example/",
    "http://a%00.example/",
    "http://a^b.example/",
    "http://a|b.example/",
    "http://[v1.a]/",
    "http://[::1].example/",
    "http://[::1]x/",
    "http://" + "é" * 2000 + "/",
    "http://a.example/\x00",
    "http://a.example/\x1b[31m",
    "http://a.example/" + "a" * MAX_URL_CHARS,
]
JOINED = {
    "relative": ("rel.jpg", "/a/rel.jpg"),
    "of the root": ("/b/c", "/b/c"),
    "a query": ("?q=1", "/a/b?q=1"),
    "a fragment": ("#top", "/a/b?x=1"),
    "empty": ("", "/a/b?x=1"),
    "dots": ("./../c", "/c"),
    "backslashes": ("\\b\\c", "/b/c"),
    "one slash after the scheme": ("http:/b/c", "/b/c"),
    "no slash after the scheme": ("http:b/c", "/a/b/c"),
    "three slashes": ("///a.example:8080/c", "/c"),
    "three slashes after the scheme": ("http:///a.example:8080/c", "/c"),
    "backslashes after the scheme": ("http:\\\\a.example:8080\\c", "/c"),
    "spaces around and inside": ("  /b c/d.jpg  ", "/b%20c/d.jpg"),
    "a folded line": ("/b\r\n c", "/b%20c"),
    "a tab": ("/b\tc", "/bc"),
    "a doubled slash": ("/b//c", "/b//c"),
    "characters to keep": ("/%7E%2f[|]", "/%7E%2f[|]"),
    "a colon in a path": ("./a:b.jpg", "/a/a:b.jpg"),
}


@pytest.mark.parametrize("name", SENT)
def test_sends_a_url_as_it_was_written(name: str) -> None:
    """Only what is illegal in a request is encoded."""
    written, sent = SENT[name]
    assert parse_url(f" \thttps://a.example{written}").request_uri == sent


@pytest.mark.parametrize("name", SENT)
def test_what_is_sent_stays_the_same(name: str) -> None:
    """A URL that was sent once may be parsed again, and is not encoded twice."""
    sent = SENT[name][1]
    assert parse_url(f"https://a.example{sent}").request_uri == sent


@pytest.mark.parametrize(("url", "host"), HOSTS.items())
def test_looks_hosts_up_as_browsers_do(url: str, host: str) -> None:
    """International hosts are mapped as UTS 46 says."""
    assert parse_url(url).host == host


@pytest.mark.parametrize("url", INVALID, ids=range(len(INVALID)))
def test_refuses_what_two_parsers_read_differently(url: str) -> None:
    """The error is one of the wire contract."""
    with pytest.raises(InvalidInput) as caught:
        parse_url(url)
    assert caught.value.code == "invalid_url"


@pytest.mark.parametrize("name", JOINED)
def test_resolves_a_reference_as_browsers_do(name: str) -> None:
    """The base has a path, a query and a port of its own."""
    reference, sent = JOINED[name]
    joined = parse_url(join(parse_url("http://a.example:8080/a/b?x=1"), reference))
    assert (joined.host, joined.port, joined.request_uri) == ("a.example", 8080, sent)


@pytest.mark.parametrize(
    ("reference", "host"),
    [
        ("//b.example/c", "b.example"),
        ("\\\\b.example\\c", "b.example"),
        ("https:b.example/c", "b.example"),
        ("https:/b.example/c", "b.example"),
        ("HTTP://b.example/c", "b.example"),
        ("http://b%C3%BCcher.example/", "xn--bcher-kva.example"),
        ("/c@b.example", "a.example"),
        ("b.example/c", "a.example"),
    ],
)
def test_a_reference_names_its_host_as_in_browsers(reference: str, host: str) -> None:
    """Another host than a browser would ask is a hole in the address checks or a missing picture."""
    assert parse_url(join(parse_url("http://a.example/a/b"), reference)).host == host


@pytest.mark.parametrize("reference", ["data:image/png;base64,AA", "ftp://b/", "javascript:1", "b.example:80/c"])
def test_a_reference_of_another_scheme_is_kept(reference: str) -> None:
    """The check of the next hop refuses it."""
    assert join(parse_url("http://a.example/a/b"), reference) == reference
    with pytest.raises(InvalidInput):
        parse_url(reference)
