"""Share links become the URL of the file; links that serve no picture are named; no other URL is touched."""

from __future__ import annotations

import pytest

from imgproc.core.errors import ForbiddenAddress, InvalidInput
from imgproc.pipeline.http.addresses import check_url
from imgproc.pipeline.http.share_links import direct_form
from imgproc.pipeline.http.unshareable_links import any_unshareable, unshareable
from imgproc.pipeline.table.urls import parse_urls

FILE = "1AbCdEfGhIjKlMnOpQrStUvWxYz012345"
DRIVE = f"https://drive.usercontent.google.com/download?id={FILE}&export=download&confirm=t"
ONE_DRIVE = (
    "https://my.microsoftpersonalcontent.com/personal/339942fd8b9cbd18/_layouts/15/download.aspx?share=IQCDKvut-a"
)

DIRECT = {
    f"https://drive.google.com/file/d/{FILE}/view?usp=sharing": DRIVE,
    f"https://drive.google.com/file/d/{FILE}": DRIVE,
    f"https://drive.google.com/file/d/{FILE}/preview": DRIVE,
    f"https://drive.google.com/file/u/1/d/{FILE}/edit": DRIVE,
    f"https://drive.google.com/a/shop.example/file/d/{FILE}/view": DRIVE,
    f"https://drive.google.com/open?id={FILE}&usp=drive_copy": DRIVE,
    f"http://drive.google.com/uc?id={FILE}": DRIVE,
    f"https://drive.google.com/uc?export=view&id={FILE}": DRIVE,
    f"https://drive.google.com/u/0/uc?id={FILE}&export=download": DRIVE,
    f"https://docs.google.com/uc?id={FILE}": DRIVE,
    f"https://docs.google.com/file/d/{FILE}/edit": DRIVE,
    f"https://drive.google.com/file/d/{FILE}/view?resourcekey=0-aB_c": f"{DRIVE}&resourcekey=0-aB_c",
    f"https://docs.google.com/drawings/d/{FILE}/edit": f"https://docs.google.com/drawings/d/{FILE}/export/png",
    "https://www.dropbox.com/s/abc123/shoe.jpg?dl=0": "https://www.dropbox.com/s/abc123/shoe.jpg?raw=1",
    "https://www.dropbox.com/s/abc123/shoe.jpg": "https://www.dropbox.com/s/abc123/shoe.jpg?raw=1",
    "https://dropbox.com/scl/fi/x1/a%20shoe.jpg?rlkey=k9&st=z&dl=0": (
        "https://www.dropbox.com/scl/fi/x1/a%20shoe.jpg?rlkey=k9&st=z&raw=1"
    ),
    "https://www.dropbox.com/sh/abc/KEY/shoe.jpg?dl=0": "https://www.dropbox.com/sh/abc/KEY/shoe.jpg?raw=1",
    "https://1drv.ms/i/c/339942fd8b9cbd18/IQCDKvut-a?e=TIPQpU": ONE_DRIVE,
    "https://1drv.ms/i/s!AbCdEf": (
        "https://api.onedrive.com/v1.0/shares/u!aHR0cHM6Ly8xZHJ2Lm1zL2kvcyFBYkNkRWY/root/content"
    ),
    "https://onedrive.live.com/?redeem=aHR0cHM6Ly8xZHJ2Lm1zL2kvYy8zMzk5NDJmZDhiOWNiZDE4L0lRQ0RLdnV0LWE": ONE_DRIVE,
    "https://onedrive.live.com/embed?cid=D3&resid=D3%211156&authkey=ANIJ": (
        "https://onedrive.live.com/download?resid=D3%211156&authkey=ANIJ"
    ),
    "https://shop-my.sharepoint.com/:i:/g/personal/a_shop_example/EbX_-1?e=q9": (
        "https://shop-my.sharepoint.com/:i:/g/personal/a_shop_example/EbX_-1?e=q9&download=1"
    ),
    "https://shop.sharepoint.com/:i:/r/sites/x/Shared%20Documents/a.jpg?csf=1&web=1": (
        "https://shop.sharepoint.com/:i:/r/sites/x/Shared%20Documents/a.jpg?csf=1&download=1"
    ),
    "https://app.box.com/s/kwio6b4ovt": "https://app.box.com/shared/static/kwio6b4ovt",
    "https://shop.app.box.com/s/kwio6b4ovt": "https://shop.app.box.com/shared/static/kwio6b4ovt",
    "https://box.com/s/kwio6b4ovt": "https://app.box.com/shared/static/kwio6b4ovt",
    "https://app.box.com/s/kwio/file/99": (
        "https://app.box.com/index.php?rm=box_download_shared_file&shared_name=kwio&file_id=f_99"
    ),
    "https://app.box.com/embed/s/kwio6b4ovt?view=list": "https://app.box.com/shared/static/kwio6b4ovt",
    "https://app.box.com/file/99?s=kwio": (
        "https://app.box.com/index.php?rm=box_download_shared_file&shared_name=kwio&file_id=f_99"
    ),
    "https://onedrive.live.com/:i:/g/personal/339942fd8b9cbd18/IQCDKvut-a?e=1": ONE_DRIVE,
    "https://i.imgur.com/AbC1234": "https://i.imgur.com/AbC1234.jpg",
    "https://i.imgur.com/AbC1234.gifv": "https://i.imgur.com/AbC1234.gif",
    "https://storage.cloud.google.com/bucket/a/shoe.jpg": "https://storage.googleapis.com/bucket/a/shoe.jpg",
    "https://www.google.com/imgres?q=shoe&imgurl=https%3A%2F%2Fshop.example%2Fa.jpg%3Fw%3D9&imgrefurl=x": (
        "https://shop.example/a.jpg?w=9"
    ),
    "https://www.google.de/url?sa=i&url=https%3A%2F%2Fshop.example%2Fa.jpg&ved=0": "https://shop.example/a.jpg",
    "https://www.google.com/url?q=https://shop.example/a.jpg": "https://shop.example/a.jpg",
    "https://l.facebook.com/l.php?u=https%3A%2F%2Fshop.example%2Fa.jpg&h=AT0": "https://shop.example/a.jpg",
    "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fshop.example%2Fa.jpg&data=05": (
        "https://shop.example/a.jpg"
    ),
    f"https://www.google.com/url?q=https%3A%2F%2Fdrive.google.com%2Ffile%2Fd%2F{FILE}%2Fview": DRIVE,
    "https://github.com/o/r/blob/main/img/a%20b.png": "https://github.com/o/r/raw/main/img/a%20b.png",
    "https://github.com/o/r/blob/v1/a.png?raw=true": "https://github.com/o/r/raw/v1/a.png",
    "https://gitlab.com/g/sub/p/-/blob/main/a.png": "https://gitlab.com/g/sub/p/-/raw/main/a.png",
    "https://bitbucket.org/o/r/src/main/a.png": "https://bitbucket.org/o/r/raw/main/a.png",
    "https://codeberg.org/o/r/src/branch/main/a.png": "https://codeberg.org/o/r/raw/branch/main/a.png",
    "https://huggingface.co/datasets/o/r/blob/main/a.png": "https://huggingface.co/datasets/o/r/resolve/main/a.png",
    "https://imgur.com/AbC1234": "https://i.imgur.com/AbC1234.jpg",
    "https://m.imgur.com/r/shoes/AbC1234": "https://i.imgur.com/AbC1234.jpg",
    "https://imgur.com/AbC1234.png": "https://i.imgur.com/AbC1234.png",
    "https://commons.wikimedia.org/wiki/File:A_shoe_(left).jpg": (
        "https://commons.wikimedia.org/wiki/Special:FilePath/A_shoe_%28left%29.jpg"
    ),
    "https://de.wikipedia.org/wiki/Datei:Schuh%20links.jpg": (
        "https://de.wikipedia.org/wiki/Special:FilePath/Schuh%20links.jpg"
    ),
    "https://en.wikipedia.org/wiki/Shoe#/media/File:Shoe.png": (
        "https://en.wikipedia.org/wiki/Special:FilePath/Shoe.png"
    ),
    "https://commons.wikimedia.org/w/index.php?title=File:Shoe.jpg": (
        "https://commons.wikimedia.org/wiki/Special:FilePath/Shoe.jpg"
    ),
    "https://commons.wikimedia.org/wiki/File:Shoe.svg": (
        "https://commons.wikimedia.org/wiki/Special:FilePath/Shoe.svg?width=1280"
    ),
    "https://unsplash.com/photos/red-nike-shoe-164_6wVEHfI": (
        "https://unsplash.com/photos/164_6wVEHfI/download?force=true"
    ),
    "https://www.bing.com/images/search?view=detailV2&mediaurl=https%3a%2f%2fshop.example%2fa.jpg": (
        "https://shop.example/a.jpg"
    ),
    "https://yandex.com/images/search?pos=1&img_url=https%3A%2F%2Fshop.example%2Fa.jpg&text=x": (
        "https://shop.example/a.jpg"
    ),
    "https://www.reddit.com/media?url=https%3A%2F%2Fi.redd.it%2Fa.jpg": "https://i.redd.it/a.jpg",
}  # fmt: skip


@pytest.mark.parametrize("url", DIRECT)
def test_a_share_link_has_a_direct_form(url: str) -> None:
    """The direct form is the URL of the file; it has no other form, and may serve a picture."""
    found = direct_form(url)
    assert found is not None
    assert found.url == DIRECT[url]
    assert found.service in found.note
    assert direct_form(found.url) is None
    assert unshareable(url) is None
    assert unshareable(found.url) is None


AS_THEY_ARE = [
    "https://shop.example/file/d/abcdefghijk/view",
    DRIVE,
    f"https://drive.google.com/thumbnail?id={FILE}&sz=w2000",
    f"https://lh3.googleusercontent.com/d/{FILE}",
    "https://drive.google.com/open?id=",
    "https://www.dropbox.com/s/abc123/shoe.jpg?dl=1",
    "https://www.dropbox.com/scl/fi/x1/shoe.jpg?rlkey=k9&raw=1",
    "https://dl.dropboxusercontent.com/s/abc123/shoe.jpg",
    "https://shop.sharepoint.com/:i:/s/x/Eb?e=1&download=1",
    "https://shop.sharepoint.com/sites/x/_layouts/15/download.aspx?share=Eb",
    "https://app.box.com/shared/static/kwio6b4ovt.jpg",
    "https://raw.githubusercontent.com/o/r/main/a.png",
    "https://github.com/o/r/raw/main/a.png",
    "https://i.imgur.com/AbC1234.jpg",
    "https://i.ibb.co/D5mcqgH/shoe.jpg",
    "https://upload.wikimedia.org/wikipedia/commons/a/a9/Example.jpg",
    "https://commons.wikimedia.org/wiki/Special:FilePath/Example.jpg",
    "https://en.wikipedia.org/wiki/Shoe",
    "https://images.unsplash.com/photo-1549298916?w=900",
    "https://onedrive.live.com/download?resid=D3%211156&authkey=ANIJ",
    "https://i.imgur.com/AbC1234.mp4",
    f"https://lh3.googleusercontent.com/u/0/d/{FILE}=w500",
    f"https://drive.usercontent.google.com/u/0/uc?id={FILE}&export=download",
    "https://dl.dropboxusercontent.com/scl/fi/x1/shoe.jpg?rlkey=k9",
    "https://media.githubusercontent.com/media/o/r/main/a.png",  # Git LFS
    "https://github.com/user-attachments/assets/0f3c",
    "https://app.box.com/v/shoe",
    "https://commons.wikimedia.org/wiki/Special:FilePath/A.jpg?width=300",
    "https://upload.wikimedia.org/wikipedia/commons/thumb/a/ab/A.jpg/300px-A.jpg",
    "https://flic.kr/p/2abc",
    "https://www.flickr.com/photos/shop/123456/",
    "https://live.staticflickr.com/65535/1_2_b.jpg",
    "https://www.pinterest.com/pin/123/",
    "https://pin.it/2abc",
    "https://i.pinimg.com/originals/a/b/c.jpg",
    "https://www.notion.so/image/https%3A%2F%2Fs3.amazonaws.com%2F0123456789abcdef0123456789abcdef?table=block",
    "https://v5.airtableusercontent.com/v3/u/1/1/1600000000000/a/b/c",
    "https://scontent.cdninstagram.com/v/t51/1.jpg?oe=5F000000&oh=1",
    "https://scontent-fra3-1.xx.fbcdn.net/v/t1/1.jpg?oe=5F000000",
    "https://m.media-amazon.com/images/I/71abc.jpg",
    "https://images.pexels.com/photos/1/a.jpeg",
    "https://image.shutterstock.com/image-photo/shoe-260nw-1.jpg",
    "https://i.redd.it/a.jpg",
    "https://preview.redd.it/a.jpg?width=1&s=2",
    "https://cdn.shopify.com/s/files/1/1/files/a.jpg?v=1",
    "https://shop.myshopify.com/cdn/shop/files/a.jpg",
    "https://cdn.discordapp.com/attachments/1/2/a.jpg?ex=6500&is=1&hm=2",
    "https://cloud.shop.example/s/AbCdEfGhIjKlMnO",
    "https://encrypted-tbn0.gstatic.com/images?q=tbn:abc",
    "https://web.archive.org/web/2020/https://shop.example/a.jpg",
    "https://shop.sharepoint.com/sites/x/Shared%20Documents/a.jpg",
    "https://www.bing.com/images/search?mediaurl=ftp%3A%2F%2Fshop.example%2Fa.jpg",
    "https://www.google.com/url?q=shoes",
    "https://www.google.com/imgres?imgurl=ftp://shop.example/a.jpg",
    "https://www.google.com/imgres?imgurl=http://127.0.0.1:6379/",
    "https://www.google.com/imgres?imgurl=https://user:pass@shop.example/a.jpg",
    "https://www.google.com/search?q=shoe&url=https://shop.example/a.jpg",
    "https://l.facebook.com.evil.example/l.php?u=https://shop.example/a.jpg",
    # Not these services, whatever the text looks like.
    f"https://drive.google.com.evil.example/file/d/{FILE}/view",
    f"https://evil.example/https://drive.google.com/file/d/{FILE}/view",
    f"https://evildrive.google.com/file/d/{FILE}/view",
    f"https://drive.google.com@evil.example/file/d/{FILE}/view",
    f"https://user:pass@drive.google.com/file/d/{FILE}/view",
    f"https://drive.google.com:8443/file/d/{FILE}/view",
    f"https://drive.google.com:0x/file/d/{FILE}/view",
    f"ftp://drive.google.com/file/d/{FILE}/view",
    f"https://drive.google.com\\@evil.example/file/d/{FILE}/view",
    "https://evil.example/.sharepoint.com/:i:/g/x",
    "https://shop.sharepoint.com.evil.example/:i:/g/x",
    "https://[drive.google.com]/open?id=1234567890",
    # What a redeemed link holds is a link of OneDrive, or nothing.
    "https://onedrive.live.com/?redeem=aHR0cDovLzEyNy4wLjAuMS9h",
    "https://onedrive.live.com/?redeem=%FF%FF",
]  # fmt: skip


@pytest.mark.parametrize("url", AS_THEY_ARE)
def test_any_other_url_stays_as_it_is(url: str) -> None:
    """Direct links, unknown services and hosts that only look like a service have no direct form."""
    assert direct_form(url) is None
    assert unshareable(url) is None


NO_PICTURE = {
    "https://we.tl/t-AbCdEf123": "WeTransfer",
    "https://wetransfer.com/downloads/abc/def": "WeTransfer",
    "https://shop.wetransfer.com/downloads/abc": "WeTransfer",
    "https://photos.app.goo.gl/AbCdEf": "Google Photos",
    "https://photos.google.com/share/AF1Qip?key=x": "Google Photos",
    "https://goo.gl/photos/AbCdEf": "Google Photos",
    "https://www.icloud.com/sharedalbum/#B0abc": "iCloud",
    "https://share.icloud.com/photos/0abc": "iCloud",
    "https://www.instagram.com/p/CabcDEF/": "Instagram",
    "https://www.facebook.com/photo/?fbid=1": "Facebook",
    "https://www.canva.com/design/DAF/view": "Canva",
    "https://mega.nz/file/abc#key": "MEGA",
    "https://drive.google.com/drive/folders/1AbC?usp=sharing": "folder",
    "https://drive.google.com/drive/u/0/folders/1AbC": "folder",
    "https://docs.google.com/document/d/1AbC/edit": "Google document",
    "https://www.dropbox.com/sh/abc/KEY?dl=0": "Dropbox folder",
    "https://www.dropbox.com/scl/fo/abc/KEY?rlkey=x&dl=0": "Dropbox folder",
    "https://www.dropbox.com/sh/abc/KEY?preview=shoe.jpg": "Dropbox folder",
    "https://www.dropbox.com/home/shoes?preview=a.jpg": "Dropbox page",
    "https://www.dropbox.com/t/abc": "Dropbox page",
    "https://1drv.ms/f/s!AbC": "OneDrive folder",
    "https://shop-my.sharepoint.com/:f:/g/personal/a/Eb": "SharePoint folder",
    "https://imgur.com/a/AbC12": "Imgur album",
    "https://imgur.com/gallery/shoes-AbC12": "Imgur album",
    "https://app.box.com/s/abc/folder/12": "Box",
    "https://app.box.com/file/99": "Box",
    "https://disk.yandex.ru/i/AbC": "Yandex Disk",
    "https://www.mediafire.com/file/abc/shoe.jpg/file": "MediaFire",
    "https://u.pcloud.link/publink/show?code=X": "pCloud",
    "https://files.slack.com/files-pri/T1-F1/shoe.png": "Slack",
    "https://discord.com/channels/1/2/3": "Discord",
    "https://s3.console.aws.amazon.com/s3/object/b?prefix=a.jpg": "console of AWS",
    "https://console.cloud.google.com/storage/browser/_details/b/a.jpg": "console of Google Cloud",
    "https://x.com/shop/status/123/photo/1": "post",
    "https://www.flickr.com/photos/shop/albums/721": "Flickr album",
    "https://www.figma.com/board/abc/x": "Figma",
    "https://www.notion.so/shop/Shoes-0123456789abcdef0123456789abcdef?pvs=4": "Notion",
    "https://shop.notion.site/0123456789abcdef0123456789abcdef": "Notion",
    "https://airtable.com/appAbC123/shrAbC123": "Airtable",
    "https://trello.com/1/cards/a/attachments/b/download/c.jpg": "Trello",
    "https://shop.monday.com/protected_static/1/resources/2/a.jpg": "monday.com",
    "https://app.asana.com/app/asana/-/get_asset?asset_id=1": "Asana",
    "https://app.clickup.com/t/abc": "ClickUp",
    "https://www.amazon.com/Red-Shoe/dp/B00ABCDEFG/ref=x": "Amazon",
    "https://www.amazon.co.uk/gp/product/B00ABCDEFG": "Amazon",
    "https://www.alibaba.com/product-detail/Shoe_1.html": "Alibaba",
    "https://www.aliexpress.com/item/1005.html": "AliExpress",
    "https://www.ebay.co.uk/itm/123": "eBay",
    "https://www.etsy.com/de/listing/1/shoe": "Etsy",
    "https://www.walmart.com/ip/Shoe/1": "Walmart",
    "https://www.pexels.com/photo/a-shoe-123/": "Pexels",
    "https://pixabay.com/photos/shoe-123/": "Pixabay",
    "https://www.shutterstock.com/image-photo/shoe-1": "Shutterstock",
    "https://stock.adobe.com/images/shoe/1": "Adobe Stock",
    "https://www.istockphoto.com/photo/shoe-gm1": "iStock",
    "https://www.gettyimages.com/detail/photo/shoe/1": "Getty",
    "https://www.behance.net/gallery/1/shoes": "Behance",
    "https://dribbble.com/shots/1-shoe": "Dribbble",
    "https://www.deviantart.com/shop/art/shoe-1": "DeviantArt",
    "https://www.reddit.com/r/shoes/comments/abc/x/": "Reddit",
    "https://www.youtube.com/watch?v=abc": "video",
    "https://youtu.be/abc": "video",
    "https://www.bing.com/images/search?q=shoe": "search results",
    "https://duckduckgo.com/?q=shoe&iax=images&ia=images": "search results",
    "https://yandex.ru/images/search?text=shoe": "search results",
    "https://mail.google.com/mail/u/0/?attid=0.1": "message",
    "https://teams.microsoft.com/l/file/abc": "Teams",
    "https://admin.shopify.com/store/shop/content/files": "Shopify",
    "https://shop.myshopify.com/admin/products/1": "Shopify",
    "https://console.cloudinary.com/c-1/media": "Cloudinary",
    "https://portal.azure.com/#view/x": "Azure",
    "https://dev.azure.com/o/p/_git/r?path=/a.jpg": "Azure",
    "https://cloud.mail.ru/public/a/b": "Mail.ru",
    "https://pan.baidu.com/s/1abc": "Baidu",
    "https://github.com/o/r/tree/main/images": "folder of a repository",
    "https://gitlab.com/g/p/-/tree/main/img": "folder of a repository",
    "https://onedrive.live.com/?cid=A&id=A%21123": "OneDrive",
    "https://shop.sharepoint.com/sites/x/Docs/Forms/AllItems.aspx?id=%2Fa.jpg": "SharePoint",
}


@pytest.mark.parametrize("url", NO_PICTURE)
def test_a_link_that_serves_no_picture_is_named_with_a_remedy(url: str) -> None:
    """It is an error of its cell, and has no direct form."""
    told = unshareable(url)
    assert told is not None
    assert NO_PICTURE[url] in told
    assert ": " in told
    assert direct_form(url) is None
    assert any_unshareable(f"https://a.example/1.jpg,{url}\nhttps://a.example/2.jpg")
    urls, faults, _ = parse_urls(f"https://a.example/1.jpg,{url}", at_most=9)
    assert urls == ("https://a.example/1.jpg", url)
    assert len(faults) == 1
    assert told in faults[0]
    assert faults[0].startswith("URL 2 ")


@pytest.mark.parametrize("url", [*DIRECT, *AS_THEY_ARE])
def test_no_link_that_may_work_is_suspected(url: str) -> None:
    """The quick search finds nothing in the cells that stay as they are."""
    assert not any_unshareable(url)


@pytest.mark.parametrize("url", DIRECT)
def test_the_direct_form_is_checked_as_any_url(url: str) -> None:
    """A direct form is a URL with a public host of the service, and the original host cannot change that."""
    found = direct_form(url)
    assert found is not None
    assert check_url(found.url, allowed_networks=()).scheme == "https"


@pytest.mark.parametrize(
    "inner", ["http://127.0.0.1/", "http://169.254.169.254/latest/", "https://[::1]/", "http://0x7f.1/a"]
)
def test_a_link_inside_a_link_is_checked_as_any_url(inner: str) -> None:
    """A link of a search engine may hold any URL; it may lead nowhere that this URL may not."""
    found = direct_form(f"https://www.google.com/imgres?imgurl={inner}")
    assert found is not None
    with pytest.raises(ForbiddenAddress):
        check_url(found.url, allowed_networks=())


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "[::1]", "0x7f.1", "localhost", "10.0.0.1:22"])
@pytest.mark.parametrize(
    "path", ["/file/d/1234567890a/view", "/:i:/g/x", "/s/abc123/a.jpg?dl=0", "/o/r/blob/main/a.png"]
)
def test_no_share_link_opens_a_forbidden_address(host: str, path: str) -> None:
    """A path like one of a share link changes nothing about the address."""
    assert direct_form(f"http://{host}{path}") is None
    with pytest.raises((ForbiddenAddress, InvalidInput)):
        check_url(f"http://{host}{path}", allowed_networks=())
