"""The table of links that certainly serve no picture to a program, and what to give instead.

Only what the text of a URL shows for certain is here. A link that may work is tried.
"""

from __future__ import annotations

from typing import NamedTuple

_UPLOAD = "upload the picture to a public web server, or share it by Google Drive or Dropbox, and give that link"
_PUBLIC = "make the file public, and give its own URL"
_ONE_FILE = "share each picture by itself and give its own link"
_BY_ITSELF = "open the picture by itself, copy its own address, and give that"
_STOCK = f"buy the picture and download it, then {_UPLOAD}"
_ATTACHMENT = f"download the picture there, then {_UPLOAD}"
_PICTURE_PAGE = "open the picture there, and give the link of its page"
_SHOPIFY = "open Content, Files, choose “Copy link” of the picture, and give that"
_ANYONE = "choose Share, “Anyone with the link can view”, and give that link"


class LinkRule(NamedTuple):
    """The hosts of a link (`.x.com` is x.com and all below it), its path or a part of it, what it is, the remedy."""

    hosts: str
    path: str
    what: str
    remedy: str = _UPLOAD


_AMAZON = " ".join(f".amazon.{end}" for end in ("com", "ca", "de", "fr", "it", "es", "in", "co.uk", "co.jp", "com.au"))
_EBAY = " ".join(f"www.ebay.{end}" for end in ("com", "ca", "de", "fr", "it", "es", "at", "ch", "co.uk", "com.au"))
RULES = (
    LinkRule("we.tl .wetransfer.com", r"/.", "a WeTransfer page, which only a browser can open"),
    LinkRule("photos.app.goo.gl photos.google.com", r"/.", "a page of Google Photos"),
    LinkRule("goo.gl", r"/photos/", "a page of Google Photos"),
    LinkRule(".icloud.com", r"/.", "an iCloud page, which only a browser can open"),
    LinkRule("disk.yandex.ru disk.yandex.com disk.360.yandex.ru yadi.sk", r"/[di]/", "a page of Yandex Disk"),
    LinkRule(".mediafire.com", r"/(?:file|folder|view)/", "a MediaFire page, which only a browser can open"),
    LinkRule(".pcloud.link", r"/publink", "a pCloud page, which only a browser can open"),
    LinkRule("lightroom.adobe.com", r"/shares/", "a page of Adobe Lightroom"),
    LinkRule("files.slack.com", r"/files-", "a file of Slack, which needs a login"),
    LinkRule(".slack.com", r"/(?:files|archives)/", "a page of Slack, which needs a login"),
    LinkRule("discord.com", r"/channels/", "a page of Discord, which needs a login"),
    LinkRule("console.cloud.google.com", r"/.", "the console of Google Cloud, which needs a login", _PUBLIC),
    LinkRule(".console.aws.amazon.com", r"/.", "the console of AWS, which needs a login", _PUBLIC),
    LinkRule("www.instagram.com instagram.com instagr.am", r"/(?!static/).", "an Instagram page, which needs a login"),
    LinkRule(
        ".facebook.com fb.watch",
        r"/(?:photo|photos|share|story|permalink|[\w.]+/(?:photos|posts))\b",
        "a Facebook page, which needs a login",
    ),
    LinkRule(".canva.com", r"/(?:design|folder)/", "a Canva design", f"download it from Canva as PNG, then {_UPLOAD}"),
    LinkRule("canva.link", r"/.", "a Canva design", f"download it from Canva as PNG, then {_UPLOAD}"),
    LinkRule(
        ".figma.com",
        r"/(?:file|design|proto|board|slides|deck|make|buzz)/",
        "a Figma design",
        f"export it as PNG, then {_UPLOAD}",
    ),
    LinkRule(".mega.nz .mega.io .mega.co.nz", r"/(?:#|file|folder|embed)", "an encrypted file of MEGA"),
    LinkRule("drive.proton.me", r"/urls/", "an encrypted file of Proton Drive"),
    LinkRule(".fromsmash.com", r"/.", "a page of Smash, which only a browser can open"),
    LinkRule(".swisstransfer.com", r"/d/", "a SwissTransfer page, which only a browser can open"),
    LinkRule(".transfernow.net", r"/.", "a TransferNow page, which only a browser can open"),
    LinkRule(".terabox.com .terabox.app .1024terabox.com .1024tera.com .teraboxapp.com", r"/s", "a TeraBox page"),
    LinkRule(".tiktok.com .twitter.com .x.com", r"/.+/(?:status|video|photo)/", "a post, not a picture"),
    LinkRule(_AMAZON, r"/photos/(?:share|shared)", "a page of Amazon Photos"),
    LinkRule(
        "drive.google.com",
        r"/(?:drive/|folderview|embeddedfolderview)",
        "a folder or the start page of Google Drive, not a file",
        "open the picture, choose Share, “Anyone with the link”, and give the link of the file",
    ),
    LinkRule(
        "docs.google.com",
        r"/(?:document|spreadsheets|presentation|forms)/",
        "a Google document, not a picture",
        "save the picture as a file in Google Drive and share that",
    ),
    LinkRule(
        ".dropbox.com",
        r"/(?:home|work|personal|preview|photos|h|request|t|transfer)(?:[/?#]|\Z)",
        "a Dropbox page that only its owner or a browser can open",
        "choose Share, “Copy link” of the file, and give that link",
    ),
    LinkRule(
        ".dropbox.com",
        r"/(?:sh|scl/fo)/(?![^?#]*\.(?:jpe?g|jfif|png|gif|webp|avif|heic|bmp|tiff?)(?:[?#]|\Z))",
        "a Dropbox folder, not a file",
        _ONE_FILE,
    ),
    LinkRule(
        ".box.com",
        r"/(?:s/\w+/folder/|folder/|files/|f/|file/(?!\d+\?(?:[^#]*&)?s=))",
        "a Box page that only its owner can open, or a folder",
        "choose Share of the file, “People with the link”, and give that link",
    ),
    LinkRule("1drv.ms", r"/f/", "a OneDrive folder, not a file", _ONE_FILE),
    LinkRule(".sharepoint.com", r"/:f:/", "a SharePoint folder, not a file", _ONE_FILE),
    LinkRule(
        ".imgur.com",
        r"/(?:a|gallery|t/\w+)/",
        "an Imgur album, not a picture",
        "open the picture and copy its own address, which begins with https://i.imgur.com/",
    ),
    LinkRule(".flickr.com", r"/photos/[^/]+/(?:albums|sets|galleries)\b", "a Flickr album, not a picture", _ONE_FILE),
    # Pages of shops, of stocks and of posts around a picture.
    LinkRule(_AMAZON, r"/(?:[^/?#]+/)?(?:dp|gp/product)/\w{10}\b", "a product page of Amazon", _BY_ITSELF),
    LinkRule(".alibaba.com", r"/product-detail/", "a product page of Alibaba", _BY_ITSELF),
    LinkRule(".aliexpress.com .aliexpress.us .aliexpress.ru", r"/item/\d", "a product page of AliExpress", _BY_ITSELF),
    LinkRule(_EBAY, r"/itm/", "an offer on eBay", _BY_ITSELF),
    LinkRule("www.etsy.com", r"/(?:[a-z-]{2,5}/)?listing/\d", "an offer on Etsy", _BY_ITSELF),
    LinkRule("www.walmart.com", r"/ip/", "a product page of Walmart", _BY_ITSELF),
    LinkRule("www.pexels.com", r"/(?:[a-z-]{2,5}/)?photo/", "a page of Pexels", _BY_ITSELF),
    LinkRule("pixabay.com", r"/(?:[a-z]{2}/)?(?:photos|illustrations|vectors)/", "a page of Pixabay", _BY_ITSELF),
    LinkRule("www.shutterstock.com", r"/(?:[a-z]{2}/)?image-", "a page of Shutterstock", _STOCK),
    LinkRule("stock.adobe.com", r"/(?:[a-z]{2}/)?images/", "a page of Adobe Stock", _STOCK),
    LinkRule("www.istockphoto.com", r"/(?:[a-z]{2}/)?(?:photo|vector)/", "a page of iStock", _STOCK),
    LinkRule("www.gettyimages.com", r"/detail/", "a page of Getty Images", _STOCK),
    LinkRule(".behance.net", r"/gallery/", "a project on Behance, not a picture", _BY_ITSELF),
    LinkRule("dribbble.com", r"/shots/", "a shot on Dribbble, not a picture", _BY_ITSELF),
    LinkRule(".deviantart.com", r"/[\w-]+/art/", "a page of DeviantArt, not a picture", _BY_ITSELF),
    LinkRule(".reddit.com", r"/(?:r|user)/[^/]+/comments/", "a post on Reddit, not a picture", _BY_ITSELF),
    LinkRule(".youtube.com", r"/(?:watch|shorts/|playlist)", "a video, not a picture"),
    LinkRule("youtu.be", r"/.", "a video, not a picture"),
    LinkRule(
        "www.bing.com bing.com",
        r"/images/search\?(?![^#]*mediaurl=)",
        "a page of search results",
        _BY_ITSELF,
    ),
    LinkRule("duckduckgo.com", r"/\?(?=[^#]*\bq=)", "a page of search results", _BY_ITSELF),
    LinkRule("yandex.com yandex.ru", r"/images/search\?(?![^#]*img_url=)", "a page of search results", _BY_ITSELF),
    # Files that need a login, and folders.
    LinkRule("airtable.com", r"/(?:app|shr|inv)\w{3}", "a page of Airtable", _ATTACHMENT),
    LinkRule(
        "trello.com", r"/(?:1/cards/.+/attachments|[bc])/", "an attachment of Trello, which needs a login", _ATTACHMENT
    ),
    LinkRule(".monday.com", r"/(?:protected_static|boards)/", "a file of monday.com, which needs a login", _ATTACHMENT),
    LinkRule("app.asana.com", r"/", "a file of Asana, which needs a login", _ATTACHMENT),
    LinkRule("app.clickup.com", r"/.", "a page of ClickUp, which needs a login", _ATTACHMENT),
    LinkRule(
        "www.notion.so notion.so .notion.site",
        r"/(?!image/)(?:[^/?#]+/)*[^/?#]*[0-9a-f]{32}(?:[?#]|\Z)",
        "a Notion page",
        _ATTACHMENT,
    ),
    LinkRule("mail.google.com chat.google.com", r"/.", "a message, which needs a login"),
    LinkRule("outlook.live.com outlook.office.com outlook.office365.com", r"/.", "a message, which needs a login"),
    LinkRule("teams.microsoft.com", r"/(?:l|_)", "a page of Teams, which needs a login"),
    LinkRule("admin.shopify.com", r"/.", "the admin of Shopify, which needs a login", _SHOPIFY),
    LinkRule(".myshopify.com", r"/admin(?:[/?#]|\Z)", "the admin of Shopify, which needs a login", _SHOPIFY),
    LinkRule("console.cloudinary.com", r"/.", "the console of Cloudinary, which needs a login", _PUBLIC),
    LinkRule("portal.azure.com", r"/.?", "the portal of Azure, which needs a login", _PUBLIC),
    LinkRule("dev.azure.com", r"/.+/_git/", "a repository of Azure, which needs a login", _PUBLIC),
    LinkRule("cloud.mail.ru", r"/public/", "a page of Mail.ru, which only a browser can open"),
    LinkRule("pan.baidu.com", r"/s/", "a page of Baidu, which only a browser can open"),
    LinkRule(".github.com", r"/[^/]+/[^/]+/tree/", "a folder of a repository, not a file", _PICTURE_PAGE),
    LinkRule("gitlab.com", r"/.+/-/tree/", "a folder of a repository, not a file", _PICTURE_PAGE),
    LinkRule(
        "onedrive.live.com",
        r"/\?(?![^#]*\b(?:authkey|redeem)=)(?=[^#]*\bc?id=)",
        "a page of OneDrive that only its owner can open",
        _ANYONE,
    ),
    LinkRule(
        ".sharepoint.com",
        r"/.+/(?:Forms/AllItems|_layouts/15/onedrive)\.aspx",
        "a page of SharePoint that only its owner can open",
        _ANYONE,
    ),
)
