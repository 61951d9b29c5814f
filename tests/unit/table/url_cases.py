"""The cell of pictures, as people and programs write it."""

from __future__ import annotations

from tests.unit.table.case import HEADER, Case, read, refuse

_TWO = "1|Mug|1.jpg 2.jpg"
_ONE = "1|Mug|1.jpg"
_LEFT_OUT = "remarks_left_out"


def _cell(text: str, *products: str, notes: str = "") -> Case:
    quoted = text.replace('"', '""')
    return read(f'{HEADER}1,Mug,"{quoted}"\n', *products, notes=notes)


def _bad(text: str, *words: str) -> Case:
    quoted = text.replace('"', '""')
    return refuse(f'{HEADER}1,Mug,"{quoted}"\n', 2, *words)


CASES: dict[str, Case] = {
    "commas": _cell("U/1.jpg,U/2.jpg", _TWO),
    "commas and spaces": _cell("U/1.jpg , U/2.jpg", _TWO),
    "a comma at the end": _cell("U/1.jpg,U/2.jpg,", _TWO),
    "commas twice": _cell("U/1.jpg,,U/2.jpg", _TWO),
    "semicolons between pictures": _cell("U/1.jpg; U/2.jpg;", _TWO),
    "bars between pictures": _cell("U/1.jpg|U/2.jpg", _TWO),
    "two bars": _cell("U/1.jpg||U/2.jpg", _TWO),
    "spaces between pictures": _cell("U/1.jpg U/2.jpg", _TWO),
    "tabs between pictures": _cell("U/1.jpg\tU/2.jpg", _TWO),
    "lines": _cell("U/1.jpg\nU/2.jpg\n", _TWO),
    "lines with commas": _cell("U/1.jpg,\r\nU/2.jpg", _TWO),
    "full-width comma": _cell("U/1.jpg，U/2.jpg", _TWO),  # noqa: RUF001
    "ideographic comma": _cell("U/1.jpg、U/2.jpg", _TWO),
    "Arabic comma": _cell("U/1.jpg، U/2.jpg", _TWO),
    "full-width semicolon": _cell("U/1.jpg；U/2.jpg", _TWO),  # noqa: RUF001
    "line breaks of HTML": _cell("U/1.jpg<br>U/2.jpg<br/>", _TWO, notes="html_read"),
    "paragraphs of HTML": _cell("<p>U/1.jpg</p><p>U/2.jpg</p>", _TWO, notes="html_read"),
    "images of HTML": _cell("<img src=\"U/1.jpg\" alt=\"a\"><img alt='b' src='U/2.jpg'/>", _TWO, notes="html_read"),
    "an image of HTML in a link": _cell('<a href="U/page"><img src="U/1.jpg"></a>', _ONE, notes="html_read"),
    "links of HTML": _cell('<a href="U/1.jpg">1</a><a href="U/2.jpg">2</a>', _TWO, notes="html_read"),
    "a list of JSON": _cell('["U/1.jpg", "U/2.jpg"]', _TWO, notes="json_read"),
    "a list of JSON with slashes escaped": _cell('["https:\\/\\/host\\/1.jpg"]', _ONE, notes="json_read"),
    "objects of JSON": _cell('[{"url":"U/1.jpg","alt":"a"},{"src":"U/2.jpg"}]', _TWO, notes="json_read"),
    "a list of Python": _cell("['U/1.jpg', 'U/2.jpg']", _TWO),
    "a set of PostgreSQL": _cell("{U/1.jpg,U/2.jpg}", _TWO),
    "brackets": _cell("[U/1.jpg],[U/2.jpg]", _TWO),
    "angles": _cell("<U/1.jpg>, <U/2.jpg>", _TWO),
    "quotes around each": _cell('"U/1.jpg","U/2.jpg"', _TWO),
    "single quotes around each": _cell("'U/1.jpg','U/2.jpg'", _TWO),
    "backticks": _cell("`U/1.jpg`", _ONE),
    "Markdown images": _cell("![a](U/1.jpg) ![b](U/2.jpg)", _TWO, notes="markdown_read"),
    "Markdown links": _cell("[a](U/1.jpg), [b](U/2.jpg)", _TWO, notes="markdown_read"),
    "attachments of Airtable": _cell("mug.jpg (U/1.jpg),side.jpg (U/2.jpg)", _TWO, notes="attachments_read"),
    "a formula for a picture": _cell('=IMAGE("U/1.jpg")', _ONE, notes="formula_read"),
    "a formula with sizes": _cell('=IMAGE("U/1.jpg", 4, 50, 50)', _ONE, notes="formula_read"),
    "a formula with semicolons": _cell('=HYPERLINK("U/1.jpg"; "picture")', _ONE, notes="formula_read"),
    "a guarded formula": _cell('\'=IMAGE("U/1.jpg")', _ONE, notes="formula_read"),
    "two pictures glued": _cell("U/1.jpgU/2.jpg", _TWO, notes="glued_split"),
    "a comma inside a URL": _cell("U/w_9,h_9/1.jpg,U/2.jpg", "1|Mug|w_9,h_9/1.jpg 2.jpg"),
    "a semicolon inside a URL": _cell("U/i?f=9;v=2", "1|Mug|i?f=9;v=2"),
    "a URL inside a path": _cell("U/fetch/w_9/https://other/1.jpg", "1|Mug|fetch/w_9/https://other/1.jpg"),
    "a URL inside a query": _cell("U/i?url=https://other/1.jpg", "1|Mug|i?url=https://other/1.jpg"),
    "escaped ampersands": _cell("U/i?a=1&amp;b=2", "1|Mug|i?a=1&b=2", notes="entity_decoded"),
    "ampersands escaped twice": _cell("U/i?a=1&amp;amp;b=2", "1|Mug|i?a=1&b=2", notes="entity_decoded"),
    "a space inside": _cell("U/my mug.jpg", "1|Mug|my%20mug.jpg", notes="space_encoded"),
    "spaces inside two": _cell("U/my mug.jpg, U/my cup.jpg", "1|Mug|my%20mug.jpg my%20cup.jpg", notes="space_encoded"),
    "letters beyond ASCII": _cell("U/tasse-blümchen.jpg", "1|Mug|tasse-blümchen.jpg"),
    "brackets inside": _cell("U/mug_(red).jpg", "1|Mug|mug_(red).jpg"),
    "a zero-width space before": _cell("\u200bU/1.jpg", _ONE, notes="invisible_removed"),
    "a zero-width space inside": _cell("U/1\u200b.jpg", _ONE, notes="invisible_removed"),
    "a soft hyphen inside": _cell("U/1\u00ad.jpg", _ONE, notes="invisible_removed"),
    "a mark of direction before": _cell("\u200eU/1.jpg", _ONE),
    "no-break spaces": _cell("U/1.jpg\u00a0U/2.jpg", _TWO),
    "capitals in the scheme": Case(f"{HEADER}1,Mug,HTTPS://host/1.jpg\n", (("1", "Mug", ("HTTPS://host/1.jpg",)),)),
    "a plus between pictures": _cell("U/1.jpg + U/2.jpg", _TWO, notes=_LEFT_OUT),
    "a plus glued between pictures": _cell("U/1.jpg+U/2.jpg", _TWO, notes=_LEFT_OUT),
    "a tilde between pictures": _cell("U/1.jpg~U/2.jpg", _TWO, notes=_LEFT_OUT),
    "a caret between pictures": _cell("U/1.jpg^U/2.jpg", _TWO, notes=_LEFT_OUT),
    "a hash between pictures": _cell("U/1.jpg#U/2.jpg", _TWO, notes=_LEFT_OUT),
    "colons between pictures": _cell("U/1.jpg::U/2.jpg", _TWO, notes=_LEFT_OUT),
    "a slash with spaces between pictures": _cell("U/1.jpg / U/2.jpg", _TWO, notes=_LEFT_OUT),
    "an Arabic semicolon": _cell("U/1.jpg؛U/2.jpg", _TWO, notes=_LEFT_OUT),
    "line breaks written as two characters": _cell("U/1.jpg\\r\\nU/2.jpg", _TWO, notes=_LEFT_OUT),
    "a carriage return of a workbook": _cell("U/1.jpg_x000D_\nU/2.jpg", _TWO, notes="invisible_removed"),
    "bullets": _cell("• U/1.jpg\n•U/2.jpg", _TWO, notes=f"{_LEFT_OUT} glued_split"),
    "dashes before each": _cell("- U/1.jpg\n- U/2.jpg", _TWO, notes=_LEFT_OUT),
    "numbers before each": _cell("1. U/1.jpg\n2) U/2.jpg", _TWO, notes=_LEFT_OUT),
    "words before each": _cell("front: U/1.jpg, back view: U/2.jpg", _TWO, notes=_LEFT_OUT),
    "a full stop after a list": _cell("U/1.jpg; U/2.jpg.", _TWO, notes=_LEFT_OUT),
    "a dash at the end of a URL": _cell("U/mug-", "1|Mug|mug-"),
    "titles of the WooCommerce Import Suite": _cell(
        "U/1.jpg ! alt : A mug ! title : mug.jpg ! desc :  | U/2.jpg ! alt :  ! caption : x", _TWO, notes=_LEFT_OUT
    ),
    "curly quotes around each": _cell("“U/1.jpg”, “U/2.jpg”", _TWO),
    "marks of direction around": _cell("\u202bU/1.jpg\u202c", _ONE),
    "escaped HTML": _cell("&lt;img src=&quot;U/1.jpg&quot;&gt;", _ONE, notes="html_read"),
    "images of BBCode": _cell("[img]U/1.jpg[/img][img]U/2.jpg[/img]", _TWO, notes="html_read"),
    "ampersands as WordPress escapes them": _cell("U/i?a=1&#038;b=2", "1|Mug|i?a=1&b=2", notes="entity_decoded"),
    "a URL that is cut off": _bad("U/a-very-long-n…", "cut off"),
    "a formula of the shop's own": _bad('="U/"&A2&".jpg"', "paste it as values"),
    "an error of a formula in German": _bad("#NV", "formula"),
    "a word between pictures": _bad("U/1.jpg and U/2.jpg", "leave it out"),
    "backslashes": _bad("U/a\\1.jpg", "write / instead"),
    "zero": _bad("0", "leave it out"),
    "http twice": _bad("http://U/1.jpg", "twice"),
    "http with a typo": _bad("htps://host/1.jpg", "misspelled"),
    "http without a colon": _bad("https//host/1.jpg", "misspelled"),
    "http with one slash": _bad("https:/host/1.jpg", "https://"),
    "no scheme": _bad("www.host.com/1.jpg", "https://"),
    "no scheme, no www": _bad("host.com/1.jpg", "https://"),
    "slashes alone": _bad("//host/1.jpg", "https:"),
    "a path": _bad("/images/1.jpg", "host"),
    "a file name": _bad("mug.jpg", "name of a file"),
    "a file of Windows": _bad("C:\\Users\\me\\mug.jpg", "computer"),
    "a shared folder": _bad("\\\\server\\mug.jpg", "computer"),
    "a file of a Mac": _bad("/Users/me/mug.jpg", "computer"),
    "a file URL": _bad("file:///C:/mug.jpg", "computer"),
    "ftp": _bad("ftp://host/1.jpg", "FTP"),
    "a bucket": _bad("s3://bucket/1.jpg", "bucket"),
    "a Google bucket": _bad("gs://bucket/1.jpg", "bucket"),
    "a picture in the cell": _bad("data:image/png;base64,iVBORw0KGgo=", "data:"),
    "a blob": _bad("blob:https://shop/1b2c", "web"),
    "not available": _bad("N/A", "leave it out"),
    "null": _bad("NULL", "leave it out"),
    "a dash": _bad("-", "no image URL"),
    "an error of a formula": _bad("#REF!", "leave it out"),
    "a word": _bad("red", "https://"),
    "a password": _bad("https://me:secret@host/1.jpg", "password"),
    "no host": _bad("https:///1.jpg", "host"),
    "a picture and a word": _bad("U/1.jpg, none", "leave it out"),
    "WhatsApp": _bad("image attached", "https://"),
}
