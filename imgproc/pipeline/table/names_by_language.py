"""The names of our columns in more languages, as shop platforms and spreadsheets write them. Data only.

Each language has its serial numbers, product names and words for pictures, separated by semicolons.
"""

from __future__ import annotations

NAMES_BY_LANGUAGE: dict[str, tuple[str, str, str]] = {
    "Italian": ("COD;SKU prodotto", "Nome articolo", "foto"),
    "Turkish": ("Kimlik", "Ürün Başlığı", "fotoğraf"),
    "Swedish": ("Artikelnummer;Produktnummer", "Produktnamn;Artikelnamn;Namn;Benämning", "bild"),
    "Danish": ("Varenummer;Varenr.", "Produktnavn;Varenavn;Navn", "billede"),
    "Norwegian": ("Varenummer;Varenr.;Produktnummer", "Produktnavn;Varenavn;Navn", "bilde"),
    "Finnish": (
        "Tuotetunnus;Tuotekoodi;Tuotenumero",
        "Tuotteen nimi;Tuotenimi;Nimi",
        "kuvat;kuvaurl;kuvaosoite;tuotekuva",
    ),
    "Estonian": ("Tootekood", "Toote nimi;Nimi", "pildid;pildiurl"),
    "Latvian": ("Artikuls;Preces kods", "Preces nosaukums;Nosaukums", "attēl"),
    "Lithuanian": ("Prekės kodas;Kodas", "Prekės pavadinimas;Pavadinimas", "paveiksl;nuotrauk"),
    "Czech": ("Katalogové číslo;Kód produktu;Kód zboží", "Název produktu;Název zboží;Název", "obraz;obráz"),
    "Slovak": ("Katalógové číslo;Kód produktu;Kód tovaru", "Názov produktu;Názov tovaru;Názov", "obraz;obráz"),
    "Hungarian": ("Cikkszám;Termékkód", "Terméknév;Termék neve;Megnevezés;Név", "képek;képurl;képlink;főkép;termékkép"),
    "Romanian": ("Cod produs;Cod", "Nume produs;Denumire produs;Denumire;Nume", "imagini;imagine"),
    "Croatian and Slovenian": (
        "Šifra proizvoda;Šifra;Kataloški broj",
        "Naziv proizvoda;Naziv;Ime izdelka",
        "slike;slika",
    ),
    "Greek": ("Κωδικός προϊόντος;Κωδικός", "Όνομα προϊόντος;Όνομα;Τίτλος", "εικόν;φωτογραφ"),
    "Russian": (
        "Артикул;Код товара;Код",
        "Название товара;Наименование товара;Название;Наименование;Имя",
        "изображен;картинк;фото",
    ),
    "Ukrainian": ("Код товару", "Назва товару;Найменування;Назва", "зображен"),
    "Bulgarian": ("Артикулен номер;Код на продукта", "Име на продукта;Име", "снимк"),
    "Hebrew": ("מק״ט;מזהה;קוד מוצר", "שם המוצר;שם מוצר;שם;כותרת", "תמונ"),
    "Arabic": ("رمز المنتج;رقم المنتج;كود المنتج;المعرف", "اسم المنتج;الاسم;العنوان", "صور"),
    "Persian": ("شناسه;کد محصول", "نام محصول;نام", "تصویر;تصاویر"),
    "Thai": ("รหัสสินค้า;รหัส", "ชื่อสินค้า;ชื่อ", "รูปภาพ;ภาพสินค้า"),
    "Vietnamese": ("Mã sản phẩm;Mã SP;Mã hàng", "Tên sản phẩm;Tên hàng;Tên", "hình ảnh;link ảnh;url ảnh"),
    "Indonesian and Malay": ("Kode Produk;Kode Barang;Kod Produk", "Nama Produk;Nama Barang;Nama", "gambar"),
    "Japanese": ("商品SKU", "名前;名称", "画像"),
    "Chinese": ("款号", "名字;商品标题", "主图"),
    "Korean": ("상품 코드;품번", "상품 이름;이름", "이미지"),
}


def words(place: int) -> tuple[str, ...]:
    """The words of all languages: 0 for serial numbers, 1 for product names, 2 for pictures."""
    return tuple(word for each in NAMES_BY_LANGUAGE.values() for word in each[place].split(";"))
