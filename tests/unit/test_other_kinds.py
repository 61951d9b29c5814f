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
    "a PCX picture": b"\x0a\5\1\x08" + bytes(9),
    "an SGI picture": b"\1\xda\1\1" + bytes(9),
    "a Sun raster picture": b"\x59\xa6\x6a\x95" + bytes(9),
    "an X11 picture": b"/* XPM */\nstatic char * logo[] = {",
    "a QOI picture": b"qoif" + bytes(9),
    "a Mac icon": b"icns\0\0\1\0" + bytes(9),
    "an MNG or JNG picture": b"\x8aMNG\r\n\x1a\n" + bytes(9),
    "a FITS picture": b"SIMPLE  =                    T",
    "a DICOM picture": bytes(128) + b"DICM" + bytes(9),
    "a FLIF picture": b"FLIF44\1" + bytes(9),
    "a farbfeld picture": b"farbfeld" + bytes(9),
    "a texture": b"\xabKTX 20\xbb\r\n\x1a\n" + bytes(9),
    "a film scan (DPX, Cineon)": b"SDPX" + bytes(9),
    "a Photo CD picture": bytes(2048) + b"PCD_IPI" + bytes(9),
    "a PICT picture": bytes(522) + b"\0\x11\2\xff" + bytes(9),
    "a JBIG2 picture": b"\x97JB2\r\n\x1a\n" + bytes(9),
    "a JPEG XS picture": b"\xff\x10\xff\x50" + bytes(9),
    "an OS/2 bitmap array": b"BA" + bytes(12) + b"BM" + bytes(9),
    "an animated cursor": b"RIFF\0\1\0\0ACONanih",
    "a CorelDRAW document": b"RIFF\0\1\0\0CDR9vrsn",
    "a Paint Shop Pro document": b"Paint Shop Pro Image File\n\x1a" + bytes(9),
    "an Affinity document": b"\0\xffKA" + bytes(9),
    "a Krita or OpenRaster document": b"PK\3\4" + bytes(26) + b"mimetypeimage/openraster",
    "an InDesign document": bytes.fromhex("0606edf5d81d46e5") + bytes(9),
    "a 3D model": b"glTF\2\0\0\0",
}
PNG_TEXT = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
JPEG_TEXT = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1"
LIKE_TEXT = {
    "JPEG in UTF-8": JPEG_TEXT.decode("latin1").encode(),
    "JPEG with replacement characters": JPEG_TEXT.decode("utf-8", "replace").encode(),
    "PNG in UTF-8": PNG_TEXT.decode("latin1").encode(),
    "PNG with replacement characters": PNG_TEXT.decode("utf-8", "replace").encode(),
    "PNG with line ends of Unix": PNG_TEXT.replace(b"\r\n", b"\n"),
    "PNG of 7 bits": b"\x09" + PNG_TEXT[1:],
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
    "a compressed archive": (bytes(257) + b"ustar", "unpack it"),
    "an RTF document": (b"{\\rtf1 Sale}", "Save as Picture"),
    "a picture behind other bytes": (b"\r\n" + JPEG_TEXT, "serve the file as it is"),
    "a picture in base64": (b"data:image/png;base64,iVBORw0KGgoAAAANSUhEUg==", "decode it"),
    "a Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git lfs pull"),
    "a shortcut": (b"[InternetShortcut]\r\nURL=https://shop.example/", "that it opens"),
    "the metadata of a Mac file": (b"\0\5\x16\7\0\2\0\0Mac OS X", "without ._"),
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


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        *[("a video", source) for source in (b"OggS" + bytes(9), b"FLV\1" + bytes(9), b"\0\0\0\x08wide" + bytes(9))],
        *[("a sound file", source) for source in (b"ID3\3", b"RIFF\0\0\0\0WAVE", b"\0\0\0\x18ftypM4A ")],
        *[("a font", source) for source in (b"wOF2", b"\0\1\0\0\0\x0f\0")],
        *[("a program", source) for source in (b"MZ\x90\0", b"\x7fELF\2")],
        ("a database", b"SQLite format 3\0"),
        ("a picture behind other bytes", b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n" + PNG_TEXT),
        ("a picture behind other bytes", b"\xef\xbb\xbf" + PNG_TEXT),
        ("a picture in base64", b"/9j/4AAQSkZJRgABAQ=="),
        ("a PDF document", b"\n%PDF-1.4"),
        ("an HTML page", "<html><p>404".encode("utf-16")),
        ("plain text", "Es fehlt: Größe 404".encode()),
    ],
    ids=repr,
)
def test_names_more_kinds(kind: str, source: bytes) -> None:
    """A file is more than its first kind: films come in seven containers."""
    error = refused(source)
    assert (error.code, f"This is {kind}, not an image; " in error.detail) == ("not_an_image", True)


@pytest.mark.parametrize("name", LIKE_TEXT)
def test_names_pictures_that_were_changed_like_text(name: str) -> None:
    """Their bytes above 127 or their line ends are lost."""
    assert "changed like text" in refused(LIKE_TEXT[name]).detail
