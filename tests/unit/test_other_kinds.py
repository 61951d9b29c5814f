"""Files that are not read are named for what they are, with the click that mends them."""

from __future__ import annotations

import pytest

from tests.support.rendered import refused

RAW = {
    "CR3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    "RAF": b"FUJIFILMCCD-RAW 0201FF",
    "RW2": b"IIU\0\x18\0\0\0" + bytes(30),
    "ORF": b"IIRO\x08\0\0\0" + bytes(30),
    "X3F": b"FOVb" + bytes(30),
    "MRW": b"\0MRM" + bytes(30),
    "CRW": b"II\x1a\0\0\0HEAPCCDR" + bytes(30),
}
UNSUPPORTED = {
    "an OpenEXR picture": b"v/1\x01\2\0\0\0",
    "a Radiance HDR picture": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n",
    "a JPEG XR picture": b"II\xbc\1" + bytes(30),
    "a DDS texture": b"DDS |\0\0\0",
    "a GIMP document": b"gimp xcf v011\0",
    "a BPG picture": b"BPG\xfb" + bytes(9),
    "a Windows metafile": b"\xd7\xcd\xc6\x9a" + bytes(30),
    "a DjVu document": b"AT&TFORM" + bytes(9),
}
OTHERS = {
    "a PDF document": (b"%PDF-1.7\n%\xff", "Preview"),
    "a PostScript document": (b"%!PS-Adobe-3.0 EPSF-3.0", "Illustrator"),
    "a ZIP archive": (b"PK\x03\x04" + bytes(30), "unpack it"),
    "a gzip archive": (b"\x1f\x8b\x08" + bytes(9), "unpack it"),
    "a RAR archive": (b"Rar!\x1a\x07\x01\0", "unpack it"),
    "a 7z archive": (b"7z\xbc\xaf\x27\x1c\0\4", "unpack it"),
    "an Office document": (b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml", "Save as Picture"),
    "a video": (b"\0\0\0\x18ftypisom" + bytes(12), "save one of its frames"),
    "an HTML page": (b"<!DOCTYPE html><html><p>404", "Copy image address"),
    "a login form": (b"<html><input name=p type='password'>", "without signing in"),
}


@pytest.mark.parametrize("kind", RAW)
def test_names_raw_camera_files(kind: str) -> None:
    """They need a program of their own."""
    error = refused(RAW[kind])
    assert error.code == "unsupported_format"
    assert f"a raw camera file ({kind})" in error.detail
    assert "File › Export" in error.detail


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_names_pictures_that_no_browser_shows(kind: str) -> None:
    """They are pictures, so the code says so."""
    error = refused(UNSUPPORTED[kind])
    assert (error.code, kind in error.detail) == ("unsupported_format", True)
    assert "export it" in error.detail


@pytest.mark.parametrize("kind", OTHERS)
def test_names_what_is_no_picture(kind: str) -> None:
    """The remedy fits the kind."""
    source, remedy = OTHERS[kind]
    error = refused(source)
    assert error.code == "not_an_image"
    assert f"This is {kind}, not an image; " in error.detail
    assert remedy in error.detail
