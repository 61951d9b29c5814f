"""Kinds of files that are not read, as data: what each is called, and how to export it as one that is read."""

from __future__ import annotations

import re

RAW_REMEDY = "export it as JPEG, in Lightroom by File › Export, or give the JPEG that the camera made beside it"


def _pattern(expression: bytes) -> re.Pattern[bytes]:
    return re.compile(expression, re.DOTALL)


# Raw camera files that are not TIFFs; tiff_pages.py finds the others.
RAW_FILES = {
    "a raw camera file (CR3)": _pattern(rb".{4}ftypcrx "),
    "a raw camera file (RAF)": _pattern(rb"FUJIFILMCCD-RAW"),
    "a raw camera file (RW2)": _pattern(rb"IIU\0"),
    "a raw camera file (ORF)": _pattern(rb"IIR[OS]|MMOR"),
    "a raw camera file (X3F)": _pattern(rb"FOVb"),
    "a raw camera file (MRW)": _pattern(rb"\0MRM"),
    "a raw camera file (CRW)": _pattern(rb"II\x1a\0\0\0HEAPCCDR"),
}
# Picture formats that no browser shows and that are not read.
RARE_PICTURES = {
    "an OpenEXR picture": _pattern(rb"v/1\x01"),
    "a Radiance HDR picture": _pattern(rb"#\?(RADIANCE|RGBE)"),
    "a JPEG XR picture": _pattern(rb"II\xbc[\0\x01]"),
    "a DDS texture": _pattern(rb"DDS "),
    "a GIMP document": _pattern(rb"gimp xcf "),
    "a BPG picture": _pattern(rb"BPG\xfb"),
    "a Windows metafile": _pattern(rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF"),
    "a DjVu document": _pattern(rb"AT&TFORM"),
    "a Flash film": _pattern(rb"[FCZ]WS[\x01-\x32]"),
}
EXPORT = "export it as an ordinary JPEG or PNG"
REMEDIES = {
    **dict.fromkeys(RAW_FILES, RAW_REMEDY),
    **dict.fromkeys(RARE_PICTURES, EXPORT),
    "a HEIC image": "on an iPhone choose Settings › Camera › Formats › Most Compatible, or export it as JPEG",
    "a PDF document": "export its page as JPEG or PNG, in Preview by File › Export, and link to that",
    "a PostScript document": "export it as JPEG or PNG, in Illustrator by File › Export › Export As, and link to that",
    "a ZIP archive": "unpack it, upload each picture, and link to the picture file itself",
    "a gzip archive": "unpack it, upload the picture, and link to the picture file itself",
    "a RAR archive": "unpack it, upload each picture, and link to the picture file itself",
    "a 7z archive": "unpack it, upload each picture, and link to the picture file itself",
    "an Office document": "save the picture by itself, by a right click on it and Save as Picture, and link to that",
    "a video": "save one of its frames as JPEG, and link to that",
    "an HTML page": "open the page, right-click the picture, choose Copy image address, and give that URL",
    "a login form": "the picture must open without signing in; share it with everyone who has the link",
    "an HTML page that sends browsers to another address": "open it in a browser, and give the address of the picture",
}
# Checked before the wider kinds of formats.py that would also match.
OTHER_FILES = {
    "an Office document": _pattern(
        rb"PK\x03\x04.{26,200}(\[Content_Types\]|word/|ppt/|xl/)|\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    ),
    "a RAR archive": _pattern(rb"Rar!\x1a\x07"),
    "a 7z archive": _pattern(rb"7z\xbc\xaf\x27\x1c"),
    "a video": _pattern(rb"\0\0\x01[\xb3\xba]|FLV\x01|OggS|\x30\x26\xb2\x75\x8e\x66\xcf\x11|.{4}(moov|mdat|wide|free)"),
}
