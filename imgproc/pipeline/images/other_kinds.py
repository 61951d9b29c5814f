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
    "a Windows metafile": _pattern(rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF|\x01\0\x09\0\0[\x01\x03]"),
    "a DjVu document": _pattern(rb"AT&TFORM"),
    "a Flash film": _pattern(rb"[FCZ]WS[\x01-\x32]"),
    "a PCX picture": _pattern(rb"\x0a[\0\x02-\x05][\0\x01][\x01\x02\x04\x08]"),
    "an SGI picture": _pattern(rb"\x01\xda[\0\x01][\x01\x02]"),
    "a Sun raster picture": _pattern(rb"\x59\xa6\x6a\x95"),
    "an X11 picture": _pattern(rb"/\* XPM \*/|#define \w+_width \d"),
    "a QOI picture": _pattern(rb"qoif"),
    "a Mac icon": _pattern(rb"icns.{4}"),
    "an MNG or JNG picture": _pattern(rb"[\x8a\x8b][JM]NG\r\n"),
    "a FITS picture": _pattern(rb"SIMPLE  ="),
    "a DICOM picture": _pattern(rb".{128}DICM"),
    "a FLIF picture": _pattern(rb"FLIF[1-\x70]"),
    "a farbfeld picture": _pattern(rb"farbfeld"),
    "a texture": _pattern(rb"\xabKTX [12][01]\xbb|\x13\xab\xa1\x5c|BLP[12]"),
    "a film scan (DPX, Cineon)": _pattern(rb"SDPX|XPDS|\x80\x2a\x5f\xd7"),
    "a Photo CD picture": _pattern(rb".{2048}PCD_IPI"),
    "a PICT picture": _pattern(rb".{522}\0\x11\x02\xff"),
    "a JBIG2 picture": _pattern(rb"\x97JB2\r\n"),
    "a JPEG XS picture": _pattern(rb"\xff\x10\xff\x50"),
    "an OS/2 bitmap array": _pattern(rb"BA.{12}(?:BM|IC|PT|CI|CP)"),
    "an animated cursor": _pattern(rb"RIFF.{4}ACON"),
    "a CorelDRAW document": _pattern(rb"RIFF.{4}CDR"),
    "a Paint Shop Pro document": _pattern(rb"Paint Shop Pro Image"),
    "an Affinity document": _pattern(rb"\0\xffKA"),
    "a Krita or OpenRaster document": _pattern(rb"PK\x03\x04.{26}mimetype(?:application/x-krita|image/openraster)"),
    "an InDesign document": _pattern(rb"\x06\x06\xed\xf5\xd8\x1d\x46\xe5"),
    "a 3D model": _pattern(rb"glTF|BLENDER[-_]"),
}
EXPORT = "export it as an ordinary JPEG or PNG"
UNPACK = "unpack it, upload each picture, and link to the picture file itself"
REMEDIES = {
    **dict.fromkeys(RAW_FILES, RAW_REMEDY),
    **dict.fromkeys(RARE_PICTURES, EXPORT),
    **dict.fromkeys(("a ZIP archive", "a RAR archive", "a 7z archive", "a compressed archive"), UNPACK),
    "a HEIC image": "on an iPhone choose Settings › Camera › Formats › Most Compatible, or export it as JPEG",
    "a PDF document": "export its page as JPEG or PNG, in Preview by File › Export, and link to that",
    "a PostScript document": "export it as JPEG or PNG, in Illustrator by File › Export › Export As, and link to that",
    "a gzip archive": "unpack it, upload the picture, and link to the picture file itself",
    "an Office document": "save the picture by itself, by a right click on it and Save as Picture, and link to that",
    "a video": "save one of its frames as JPEG, and link to that",
    "an HTML page": "open the page, right-click the picture, choose Copy image address, and give that URL",
    "a login form": "the picture must open without signing in; share it with everyone who has the link",
    "an HTML page that sends browsers to another address": "open it in a browser, and give the address of the picture",
    "an RTF document": "save the picture by itself, by a right click on it and Save as Picture, and link to that",
    "a picture that was changed like text": "copy or upload the original again as a binary file",
    "a picture behind other bytes": "a program of the server writes them before the picture; serve the file as it is",
    "a picture in base64": "decode it to a file, and link to that",
    "a Git LFS pointer": "run git lfs pull, and link to the picture that it brings",
    "a shortcut": "give the picture that it opens",
    "the metadata of a Mac file": "give the file of the same name without ._ at its beginning",
}
_PICTURES = rb"(?:\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF.{4}WEBP)"
_BEFORE = rb"(?:HTTP/1.{1,4000}?\r\n\r\n|(?:\xef\xbb\xbf|[\s\0]){1,64})"
# JPEG and PNG in UTF-8, with their bytes above 127 as two bytes or as replacement characters, or with other line ends.
_LIKE_TEXT = (
    rb"(?:\xef\xbb\xbf)?(?:\xc3\xbf\xc3\x98\xc3\xbf|\xc2\x89PNG|\xef\xbf\xbdPNG|(?:\xef\xbf\xbd){3,4}.{0,4}(?:JFIF|Exif))"
    rb"|\x89PNG(?:\r\r\n|\n|\r\x1a)|\x09PNG"
)
# Checked before the wider kinds of formats.py that would also match.
OTHER_FILES = {
    "a picture that was changed like text": _pattern(_LIKE_TEXT),
    "a picture behind other bytes": _pattern(_BEFORE + _PICTURES),
    "a picture in base64": _pattern(rb"(?:data:image/[\w.+-]+;base64,)?\s*(?:/9j/|iVBORw0KGgo|R0lGOD|UklGR)"),
    "a Git LFS pointer": _pattern(rb"version https://git-lfs"),
    "a shortcut": _pattern(rb"L\0\0\0\x01\x14\x02\0|\[(?:InternetShortcut|Desktop Entry)\]"),
    "the metadata of a Mac file": _pattern(rb"\0\x05\x16[\0\x07]\0[\x01\x02]\0\0"),
    "a sound file": _pattern(rb"ID3|fLaC|MThd|\xff[\xf2\xf3\xfb]|RIFF.{4}WAVE|.{4}ftypM4A "),
    "a font": _pattern(rb"wOF[F2]|OTTO|ttcf|\0\x01\0\0\0[\x04-\x40]\0"),
    "a program": _pattern(rb"MZ[\0-\x1f\x50\x78\x90]|\x7fELF|\xca\xfe\xba\xbe|[\xce\xcf]\xfa\xed\xfe|\0asm"),
    "a database": _pattern(rb"SQLite format 3\0"),
    "an RTF document": _pattern(rb"\{\\rtf"),
    "a compressed archive": _pattern(rb"BZh[1-9]|\xfd7zXZ\0|\x28\xb5\x2f\xfd|.{257}ustar"),
    "an Office document": _pattern(
        rb"PK\x03\x04.{26,200}(\[Content_Types\]|word/|ppt/|xl/)|\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    ),
    "a RAR archive": _pattern(rb"Rar!\x1a\x07"),
    "a 7z archive": _pattern(rb"7z\xbc\xaf\x27\x1c"),
    "a video": _pattern(rb"\0\0\x01[\xb3\xba]|FLV\x01|OggS|\x30\x26\xb2\x75\x8e\x66\xcf\x11|.{4}(moov|mdat|wide|free)"),
}
