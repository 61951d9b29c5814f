"""More notations of the URL cell: of programs, of people in a hurry, and slips."""

from __future__ import annotations

from tests.unit.table.case import HEADER, Case, read, refuse

# fmt: off  - a file is a line

CASES: dict[str, Case] = {
    "commas in a file name": read(
        HEADER + '1,Mug,"U/123_High_Street,_London.jpg"\n', "1|Mug|123_High_Street,_London.jpg"
    ),
    "parameters by commas": read(HEADER + '1,Mug,"U/801_a4,p-724211,s-700.jpg"\n', "1|Mug|801_a4,p-724211,s-700.jpg"),
    "codes by commas": read(HEADER + '1,Mug,"U/2971_CR1,CR2,CR3.jpg, U/2.jpg"\n', "1|Mug|2971_CR1,CR2,CR3.jpg 2.jpg"),
    "cloudinary list": read(
        HEADER + '1,Mug,"U/c_fill,w_200/1.jpg;U/c_fill,w_200/2.jpg"\n', "1|Mug|c_fill,w_200/1.jpg c_fill,w_200/2.jpg"
    ),
    "srcset widths": read(
        HEADER + '1,Mug,"U/1.jpg 480w, U/2.jpg 800w"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"
    ),
    "srcset densities": read(
        HEADER + '1,Mug,"U/1.jpg 1x, U/2.jpg 2x"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"
    ),
    "img with srcset": read(
        HEADER + '1,Mug,"<img srcset=""U/1.jpg 1x, U/2.jpg 2x"" src=""U/1.jpg"">"\n', "1|Mug|1.jpg", notes="html_read"
    ),
    "css url": read(HEADER + '1,Mug,"url(U/1.jpg)"\n', "1|Mug|1.jpg", notes="html_read"),
    "css url quoted": read(HEADER + '1,Mug,"url(""U/1.jpg"")"\n', "1|Mug|1.jpg", notes="html_read"),
    "background image": read(
        HEADER + "1,Mug,\"background-image: url('U/1.jpg');\"\n", "1|Mug|1.jpg", notes="html_read"
    ),
    "trailing comma and space": read(HEADER + '1,Mug,"U/1.jpg, "\n', "1|Mug|1.jpg"),
    "leading comma": read(HEADER + '1,Mug,",U/1.jpg"\n', "1|Mug|1.jpg"),
    "leading semicolon and blank lines": read(HEADER + '1,Mug,"\n\n;U/1.jpg\n\n"\n', "1|Mug|1.jpg"),
    "trailing full stop": read(HEADER + '1,Mug,"U/1.jpg."\n', "1|Mug|1.jpg", notes="remarks_left_out"),
    "trailing exclamation": read(HEADER + '1,Mug,"U/1.jpg!"\n', "1|Mug|1.jpg", notes="remarks_left_out"),
    "trailing bracket": read(HEADER + '1,Mug,"U/1.jpg)"\n', "1|Mug|1.jpg", notes="remarks_left_out"),
    "trailing quote": read(HEADER + '1,Mug,"U/1.jpg"""\n', "1|Mug|1.jpg", notes="remarks_left_out"),
    "leading quote only": read(HEADER + '1,Mug,"""U/1.jpg"\n', "1|Mug|1.jpg", notes="remarks_left_out"),
    "leading apostrophe": read(HEADER + '1,Mug,"\'U/1.jpg"\n', "1|Mug|1.jpg", notes="remarks_left_out"),
    "single quotes list": read(HEADER + "1,Mug,\"'U/1.jpg', 'U/2.jpg'\"\n", "1|Mug|1.jpg 2.jpg"),
    "angle list": read(HEADER + '1,Mug,"<U/1.jpg><U/2.jpg>"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"),
    "parens list": read(HEADER + '1,Mug,"(U/1.jpg) (U/2.jpg)"\n', "1|Mug|1.jpg 2.jpg", notes="attachments_read"),
    "double bars": read(HEADER + '1,Mug,"U/1.jpg || U/2.jpg"\n', "1|Mug|1.jpg 2.jpg"),
    "ampersand between": read(HEADER + '1,Mug,"U/1.jpg & U/2.jpg"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"),
    "ampersand between glued query": read(
        HEADER + '1,Mug,"U/1.jpg&U/2.jpg"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"
    ),
    "arrow between": read(HEADER + '1,Mug,"U/1.jpg -> U/2.jpg"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"),
    "and between": refuse(HEADER + '1,Mug,"U/1.jpg and U/2.jpg"\n', 2, "//your-shop/picture.jpg; a space inside "),
    "backslash between": read(HEADER + '1,Mug,"U/1.jpg\\U/2.jpg"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"),
    "newline n": read(HEADER + '1,Mug,"U/1.jpg\\nU/2.jpg"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"),
    "vertical tab": read(HEADER + '1,Mug,"U/1.jpg\x0bU/2.jpg"\n', "1|Mug|1.jpg 2.jpg"),
    "line separator": read(HEADER + '1,Mug,"U/1.jpg\u2028U/2.jpg"\n', "1|Mug|1.jpg 2.jpg"),
    "next line": read(HEADER + '1,Mug,"U/1.jpg\x85U/2.jpg"\n', "1|Mug|1.jpg 2.jpg"),
    "ideographic space": read(HEADER + '1,Mug,"U/1.jpg\u3000U/2.jpg"\n', "1|Mug|1.jpg 2.jpg"),
    "thin space": read(HEADER + '1,Mug,"U/1.jpg\u2009U/2.jpg"\n', "1|Mug|1.jpg 2.jpg"),
    "middle dot": read(HEADER + '1,Mug,"U/1.jpg · U/2.jpg"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"),
    "bullet inline": read(HEADER + '1,Mug,"• U/1.jpg • U/2.jpg"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"),
    "enumerated": read(HEADER + '1,Mug,"(1) U/1.jpg (2) U/2.jpg"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"),
    "roman a b": read(HEADER + '1,Mug,"a) U/1.jpg b) U/2.jpg"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"),
    "image 1 labels": read(
        HEADER + '1,Mug,"Image 1: U/1.jpg\nImage 2: U/2.jpg"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"
    ),
    "labels with equals": read(
        HEADER + '1,Mug,"front=U/1.jpg;back=U/2.jpg"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"
    ),
    "labels with dash": read(
        HEADER + '1,Mug,"Front - U/1.jpg\nBack - U/2.jpg"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"
    ),
    "position suffix": read(HEADER + '1,Mug,"U/1.jpg:1|U/2.jpg:2"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"),
    "json objects with src": read(
        HEADER + '1,Mug,"[{""src"":""U/1.jpg"",""position"":1},{""src"":""U/2.jpg"",""position"":2}]"\n',
        "1|Mug|1.jpg 2.jpg",
        notes="json_read",
    ),
    "json image_url": read(
        HEADER + '1,Mug,"[{""image_url"":""U/1.jpg""},{""image_url"":""U/2.jpg""}]"\n',
        "1|Mug|1.jpg 2.jpg",
        notes="json_read",
    ),
    "json secure_url": read(
        HEADER + '1,Mug,"[{""secure_url"":""U/1.jpg"",""public_id"":""x""}]"\n', "1|Mug|1.jpg", notes="json_read"
    ),
    "json thumbnails airtable": read(
        HEADER
        + '1,Mug,"[{""id"":""att1"",""url"":""U/1.jpg"",""filename"":""1.jpg"",""thumbnails"":{""small"":{""url"":""U/s.jpg""}}}]"\n',
        "1|Mug|1.jpg",
        notes="json_read",
    ),
    "json nested images": read(
        HEADER + '1,Mug,"{""images"":[""U/1.jpg"",""U/2.jpg""]}"\n', "1|Mug|1.jpg 2.jpg", notes="json_read"
    ),
    "json string": read(HEADER + '1,Mug,"""U/1.jpg"""\n', "1|Mug|1.jpg", notes="json_read"),
    "json dict by position": read(
        HEADER + '1,Mug,"{""1"":""U/1.jpg"",""2"":""U/2.jpg""}"\n', "1|Mug|1.jpg 2.jpg", notes="json_read"
    ),
    "php serialized": read(
        HEADER + '1,Mug,"a:2:{i:0;s:18:""U/1.jpg"";i:1;s:18:""U/2.jpg"";}"\n', "1|Mug|1.jpg 2.jpg", notes="json_read"
    ),
    "python dict list": read(
        HEADER + "1,Mug,\"[{'url': 'U/1.jpg'}, {'url': 'U/2.jpg'}]\"\n", "1|Mug|1.jpg 2.jpg", notes="json_read"
    ),
    "python tuple": read(HEADER + "1,Mug,\"('U/1.jpg', 'U/2.jpg')\"\n", "1|Mug|1.jpg 2.jpg"),
    "ruby array": refuse(HEADER + '1,Mug,"[""U/1.jpg"", nil]"\n', 2, "leave it out"),
    "json null inside": read(HEADER + '1,Mug,"[""U/1.jpg"", null]"\n', "1|Mug|1.jpg", notes="json_read"),
    "json empty list": refuse(HEADER + '1,Mug,"[]"\n', 2, "no image"),
    "markdown linked image": read(HEADER + '1,Mug,"[![a](U/1.jpg)](U/page)"\n', "1|Mug|1.jpg", notes="markdown_read"),
    "markdown reference title": read(
        HEADER + '1,Mug,"![a](U/1.jpg ""a mug"")"\n', "1|Mug|1.jpg", notes="markdown_read"
    ),
    "markdown autolink list": read(HEADER + '1,Mug,"<U/1.jpg>\n<U/2.jpg>"\n', "1|Mug|1.jpg 2.jpg"),
    "markdown list": read(HEADER + '1,Mug,"* U/1.jpg\n* U/2.jpg"\n', "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"),
    "wiki link": refuse(HEADER + '1,Mug,"[U/1.jpg Mug]"\n', 2, "//your-shop/picture.jpg; a space inside "),
    "slack link": refuse(HEADER + '1,Mug,"<U/1.jpg|mug>"\n', 2, "//your-shop/picture.jpg; a space inside "),
    "html entity quotes": read(
        HEADER + '1,Mug,"&quot;U/1.jpg&quot;"\n', "1|Mug|1.jpg", notes="entity_decoded json_read"
    ),
    "html entity slash": read(
        HEADER + '1,Mug,"https:&#x2F;&#x2F;host&#x2F;1.jpg"\n', "1|Mug|1.jpg", notes="entity_decoded"
    ),
    "html entity colon": read(HEADER + '1,Mug,"https&#58;//host/1.jpg"\n', "1|Mug|1.jpg", notes="entity_decoded"),
    "html nbsp": read(HEADER + '1,Mug,"U/1.jpg&nbsp;U/2.jpg"\n', "1|Mug|1.jpg 2.jpg", notes="entity_decoded"),
    "html list": read(
        HEADER + '1,Mug,"<ul><li>U/1.jpg</li><li>U/2.jpg</li></ul>"\n', "1|Mug|1.jpg 2.jpg", notes="html_read"
    ),
    "html anchor only": read(HEADER + '1,Mug,"<a href=""U/1.jpg"">view</a>"\n', "1|Mug|1.jpg", notes="html_read"),
    "html anchor with text url": read(
        HEADER + '1,Mug,"<a href=""U/1.jpg"">U/1.jpg</a>"\n', "1|Mug|1.jpg", notes="html_read"
    ),
    "html img data-src": refuse(
        HEADER + '1,Mug,"<img data-src=""U/1.jpg"" src=""data:image/gif;base64,R0l"">"\n', 2, "// URL."
    ),
    "picture element": read(
        HEADER + '1,Mug,"<picture><source srcset=""U/1.webp""><img src=""U/1.jpg""></picture>"\n',
        "1|Mug|1.jpg",
        notes="html_read",
    ),
    "bbcode url": refuse(HEADER + '1,Mug,"[url=U/1.jpg]mug[/url]"\n', 2, "//your-shop/picture.jpg"),
    "image formula unguarded lower": read(
        HEADER + '1,Mug,"=image(""U/1.jpg"")"\n', "1|Mug|1.jpg", notes="formula_read"
    ),
    "image formula with mode": read(HEADER + '1,Mug,"=IMAGE(""U/1.jpg"",1)"\n', "1|Mug|1.jpg", notes="formula_read"),
    "hyperlink formula": read(
        HEADER + '1,Mug,"=HYPERLINK(""U/1.jpg"",""view"")"\n', "1|Mug|1.jpg", notes="formula_read"
    ),
    "hyperlink formula semicolon": read(
        HEADER + '1,Mug,"=HYPERLINK(""U/1.jpg"";""view"")"\n', "1|Mug|1.jpg", notes="formula_read"
    ),
    "german hyperlink": read(
        HEADER + '1,Mug,"=HYPERLINK(""U/1.jpg"";""Bild"")"\n', "1|Mug|1.jpg", notes="formula_read"
    ),
    "french lien": read(
        HEADER + '1,Mug,"=LIEN_HYPERTEXTE(""U/1.jpg"";""voir"")"\n', "1|Mug|1.jpg", notes="formula_read"
    ),
    "german bild": read(HEADER + '1,Mug,"=BILD(""U/1.jpg"")"\n', "1|Mug|1.jpg", notes="formula_read"),
    "two formulas": read(
        HEADER + '1,Mug,"=IMAGE(""U/1.jpg"")&IMAGE(""U/2.jpg"")"\n', "1|Mug|1.jpg 2.jpg", notes="formula_read"
    ),
    "google arrayed image": read(
        HEADER + '1,Mug,"=ARRAYFORMULA(IMAGE(""U/1.jpg""))"\n', "1|Mug|1.jpg", notes="formula_read"
    ),
    "formula of text": read(HEADER + '1,Mug,"=""U/1.jpg"""\n', "1|Mug|1.jpg"),
    "concatenate": refuse(HEADER + '1,Mug,"=CONCATENATE(""U/"",""1.jpg"")"\n', 2, "values"),
    "imagen with xlfn": read(HEADER + '1,Mug,"=_xlfn.IMAGE(""U/1.jpg"")"\n', "1|Mug|1.jpg", notes="formula_read"),
    "space after scheme": read(HEADER + '1,Mug,"https:// host/1.jpg"\n', "1|Mug|1.jpg"),
    "space before slashes": read(HEADER + '1,Mug,"https: //host/1.jpg"\n', "1|Mug|1.jpg"),
    "backslashes for slashes": refuse(HEADER + '1,Mug,"https:\\\\host\\1.jpg"\n', 2, "https"),
    "full-width colon and slashes": read(
        HEADER + '1,Mug,"https：／／host／1.jpg"\n', "1|Mug|1.jpg", notes="full_width_read"
    ),
    "full-width letters, once more": read(
        HEADER + '1,Mug,"ｈｔｔｐｓ://host/1.jpg"\n', "1|Mug|1.jpg", notes="full_width_read"
    ),
    "full-width dot": read(HEADER + '1,Mug,"U/1．jpg"\n', "1|Mug|1．jpg"),
    "three slashes": refuse(HEADER + '1,Mug,"https:///host/1.jpg"\n', 2, "host"),
    "double slash in path": read(HEADER + '1,Mug,"U/a//1.jpg"\n', "1|Mug|a//1.jpg"),
    "percent encoded space": read(HEADER + '1,Mug,"U/my%20mug.jpg"\n', "1|Mug|my%20mug.jpg"),
    "percent encoded whole": refuse(HEADER + '1,Mug,"https%3A%2F%2Fhost%2F1.jpg"\n', 2, "//your-shop/picture.jpg."),
    "bad percent": read(HEADER + '1,Mug,"U/50%off.jpg"\n', "1|Mug|50%off.jpg"),
    "query with commas": read(HEADER + '1,Mug,"U/i?size=1,2,3&x=4"\n', "1|Mug|i?size=1,2,3&x=4"),
    "query with url list": read(HEADER + '1,Mug,"U/i?src=U/1.jpg,U/2.jpg"\n', "1|Mug|i?src=https://host/1.jpg 2.jpg"),
    "fragment": read(HEADER + '1,Mug,"U/1.jpg#main"\n', "1|Mug|1.jpg#main"),
    "jpg version": read(HEADER + '1,Mug,"U/1.jpg?v=1699"\n', "1|Mug|1.jpg?v=1699"),
    "two with version": read(HEADER + '1,Mug,"U/1.jpg?v=1,U/2.jpg?v=2"\n', "1|Mug|1.jpg?v=1 2.jpg?v=2"),
    "path semicolons": read(HEADER + '1,Mug,"U/a;jsessionid=1/1.jpg"\n', "1|Mug|a;jsessionid=1/1.jpg"),
    "space in host": refuse(HEADER + '1,Mug,"https://my shop.example/1.jpg"\n', 2, "https"),
    "no dot file and note": read(HEADER + '1,Mug,"U/1.jpg (main)"\n', "1|Mug|1.jpg", notes="remarks_left_out"),
    "note in brackets before": read(HEADER + '1,Mug,"(main) U/1.jpg"\n', "1|Mug|1.jpg", notes="remarks_left_out"),
    "words after": refuse(HEADER + '1,Mug,"U/1.jpg main picture"\n', 2, "leave it out"),
    "alt after double colon": refuse(
        HEADER + '1,Mug,"U/1.jpg::Mug red||U/2.jpg::Mug blue"\n', 2, "//your-shop/picture.jpg; a space inside "
    ),
    "alt after hash brace": read(HEADER + '1,Mug,"U/1.jpg#{alt}"\n', "1|Mug|1.jpg#{alt}"),
    "protocol relative with comma": refuse(HEADER + '1,Mug,"//host/1.jpg,//host/2.jpg"\n', 2, "https:"),
    "only scheme": refuse(HEADER + '1,Mug,"https://"\n', 2, "host"),
    "dropbox path": refuse(HEADER + '1,Mug,"/Apps/shop/1.jpg"\n', 2, "host"),
    "onedrive local": refuse(HEADER + '1,Mug,"C:/Users/me/OneDrive/1.jpg"\n', 2, "computer"),
    "network drive letter": refuse(HEADER + '1,Mug,"Z:\\photos\\1.jpg"\n', 2, "computer"),
    "unc with slashes": refuse(HEADER + '1,Mug,"//server/share/1.jpg"\n', 2, "https:"),
    "ftp then http": refuse(HEADER + '1,Mug,"ftp://host/1.jpg,U/2.jpg"\n', 2, "FTP"),
    "webp data uri": refuse(HEADER + '1,Mug,"data:image/webp;base64,UklGRg=="\n', 2, "data:"),
    "data uri svg": refuse(HEADER + '1,Mug,"data:image/svg+xml;utf8,<svg/>"\n', 2, "data:"),
    "two file names": refuse(HEADER + '1,Mug,"1.jpg,2.jpg"\n', 2, "name of a file"),
    "file names with spaces": refuse(HEADER + '1,Mug,"my mug.jpg"\n', 2, "//your-shop/picture.jpg; a space inside "),
    "wordpress id": refuse(HEADER + '1,Mug,"1234"\n', 2, "URL"),
    "wordpress ids": refuse(HEADER + '1,Mug,"1234,1235"\n', 2, "URL"),
    "email": refuse(HEADER + '1,Mug,"me@shop.example"\n', 2, "URL"),
    "phone": refuse(HEADER + '1,Mug,"+49 30 123456"\n', 2, "URL"),
    "gid shopify": refuse(HEADER + '1,Mug,"gid://shopify/MediaImage/1"\n', 2, "https://"),
    "wix uri": refuse(HEADER + '1,Mug,"wix:image://v1/abc/mug.jpg#originWidth=1"\n', 2, "https://"),
    "sanity ref": refuse(HEADER + '1,Mug,"image-abc123-200x300-jpg"\n', 2, "URL"),
    "typo scheme htpp": refuse(HEADER + '1,Mug,"htpp://host/1.jpg"\n', 2, "misspelled"),
    "typo scheme ttps": refuse(HEADER + '1,Mug,"ttps://host/1.jpg"\n', 2, "misspelled"),
    "typo scheme hhttps": refuse(
        HEADER + '1,Mug,"hhttps://host/1.jpg"\n', 2, "//your-shop/picture.jpg; a space inside "
    ),
    "typo https;//": refuse(HEADER + '1,Mug,"https;//host/1.jpg"\n', 2, "misspelled"),
    "typo httpss": refuse(HEADER + '1,Mug,"httpss://host/1.jpg"\n', 2, "misspelled"),
    "http twice mixed": refuse(HEADER + '1,Mug,"https://http://host/1.jpg"\n', 2, "twice"),
    "http twice no slashes": refuse(HEADER + '1,Mug,"https://https:host/1.jpg"\n', 2, "twice"),
    "localhost path": refuse(HEADER + '1,Mug,"localhost/1.jpg"\n', 2, "https://"),
    "spreadsheet ref": refuse(HEADER + '1,Mug,"=A2"\n', 2, "values"),
    "vlookup": refuse(HEADER + '1,Mug,"=VLOOKUP(A2,Sheet2!A:B,2,0)"\n', 2, "values"),
    "cell error lower": refuse(HEADER + '1,Mug,"#ref!"\n', 2, "formula"),
    "loading google": refuse(HEADER + '1,Mug,"Loading..."\n', 2, "URL"),
    "javascript": refuse(HEADER + '1,Mug,"javascript:alert(1)"\n', 2, "web"),
    "credential": refuse(HEADER + '1,Mug,"https://user:pass@host/1.jpg"\n', 2, "password"),
    "hash only": refuse(HEADER + '1,Mug,"#"\n', 2, "URL"),
    "slash only": refuse(HEADER + '1,Mug,"/"\n', 2, "give at least one"),
}
