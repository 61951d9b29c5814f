"""Headers in the languages that have no column of their own in the other tables."""

from __future__ import annotations

from tests.unit.table.case import Case, read

# A header in each language, and a name.
_LANGUAGES = {
    "Swedish": ("Artikelnr,Produktnamn,Bilder", "Mugg"),
    "Danish": ("Varenummer,Varenavn,Billeder", "Krus"),
    "Norwegian": ("Varenr.,Navn,Bilde-URL", "Kopp"),
    "Finnish": ("Tuotekoodi,Tuotteen nimi,Kuvat", "Muki"),
    "Czech": ("Kód produktu,Název,Obrázek", "Hrnek"),
    "Slovak": ("Katalógové číslo,Názov produktu,Obrázky", "Hrnček"),
    "Hungarian": ("Cikkszám,Terméknév,Kép 1", "Bögre"),
    "Romanian": ("Cod produs,Denumire,Imagini", "Cană"),
    "Croatian": ("Šifra,Naziv proizvoda,Slike", "Šalica"),
    "Greek": ("Κωδικός,Όνομα προϊόντος,Εικόνες", "Κούπα"),
    "Russian": ("Артикул,Наименование,Фото", "Кружка"),
    "Ukrainian": ("Код товару,Назва товару,Зображення", "Чашка"),
    "Bulgarian": ("Код на продукта,Име,Снимки", "Чаша"),
    "Hebrew": ('מק"ט,שם המוצר,תמונות', "ספל"),
    "Arabic": ("رمز المنتج,اسم المنتج,صور المنتج", "كوب"),
    "Persian": ("کد محصول,نام محصول,تصاویر", "لیوان"),
    "Thai": ("รหัสสินค้า,ชื่อสินค้า,รูปภาพ", "แก้ว"),
    "Vietnamese": ("Mã sản phẩm,Tên sản phẩm,Hình ảnh", "Cốc"),
    "Indonesian": ("Kode Produk,Nama Produk,Gambar 1", "Cangkir"),
    "Lithuanian": ("Prekės kodas,Pavadinimas,Nuotraukos", "Puodelis"),
    "Latvian": ("Preces kods,Nosaukums,Attēli", "Krūze"),
    "Estonian": ("Tootekood,Toote nimi,Pildid", "Kruus"),
    "Korean": ("상품코드,상품명,이미지", "머그"),
    "Japanese": ("商品コード,名前,画像", "マグ"),
}

CASES: dict[str, Case] = {
    f"a header in {language}": read(f"{header}\n1,{name},U/1.jpg\n", f"1|{name}|1.jpg")
    for language, (header, name) in _LANGUAGES.items()
}
