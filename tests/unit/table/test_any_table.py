"""What holds for every table: the order of columns does not matter, and nothing but a refusal stops reading."""

from __future__ import annotations

import csv
import io
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.table.case import outcome
from tests.unit.table.test_cases import CASES

patient = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

# The name of each column of ours in the languages of catalogues.
LANGUAGES = {
    "English": ("Item No.", "Product Name", "Product Image URL"),
    "English, machines": ("item_id", "item_name", "image_urls"),
    "French": ("Référence", "Nom du produit", "URL de l'image"),
    "French, article": ("Code article", "Désignation", "Photos"),
    "German": ("Artikelnummer", "Bezeichnung", "Bild-URL"),
    "German, short": ("Art.-Nr.", "Produktname", "Bilder"),
    "Spanish": ("Código", "Nombre del producto", "Imágenes"),
    "Spanish, reference": ("Referencia", "Título", "URL de la imagen"),
    "Italian": ("Codice prodotto", "Nome prodotto", "Immagini"),
    "Portuguese": ("Código do produto", "Nome do produto", "Imagem"),
    "Dutch": ("Artikelnummer", "Productnaam", "Afbeeldingen"),
    "Polish": ("Kod produktu", "Nazwa produktu", "Zdjęcia"),
    "Polish, index": ("Indeks", "Nazwa", "Zdjęcie URL"),
    "Turkish": ("Ürün Kodu", "Ürün Adı", "Görsel"),  # noqa: RUF001 - Turkish
    "Turkish, pictures": ("Stok Kodu", "Ürün Adı", "Resim URL"),  # noqa: RUF001 - Turkish
    "Japanese": ("商品コード", "商品名", "画像URL"),
    "Chinese": ("商品编号", "商品名称", "图片链接"),
    "Chinese, traditional": ("商品編號", "商品名稱", "圖片"),
    "Korean": ("상품코드", "상품명", "이미지"),
}
FOREIGN = {"Price": "9", "Notes": "red", "Weight (kg)": "1", "Tags": "a b", "Status": "draft"}
PIECES = [
    "S. No.",
    "Name",
    "Image",
    "URL",
    "1",
    "Mug",
    "https://h/1.jpg",
    ",",
    ";",
    "\t",
    "|",
    '"',
    "'",
    "\\",
    "\n",
    "\r",
]
PIECES += ["\ufeff", "\0", " ", "=", "#", "[", "<br>", "Type", "Item", "variation", "sep=;", "-", "\u2028", "é"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("capitals", [False, True])
def test_knows_the_names_of_columns_in_many_languages(language: str, capitals: bool) -> None:
    """Case does not matter, and there is nothing to note."""
    header = ",".join(LANGUAGES[language])
    found = outcome(f"{header.upper() if capitals else header}\n1,Mug,https://host/1.jpg\n")
    assert (found.faults, found.products) == ((), (("1", "Mug", ("https://host/1.jpg",)),))
    assert found.notes == frozenset()


def _table(cells: list[list[str]], order: list[int]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([row[index] for index in order] for row in cells)
    return text.getvalue()


@patient
@given(st.randoms(use_true_random=False), st.sampled_from(sorted(LANGUAGES)))
def test_the_order_of_columns_changes_nothing(shuffler: random.Random, language: str) -> None:
    """Products, pictures in their order, and notes are those of the table before it was shuffled."""
    serial, name, image = LANGUAGES[language]
    header = [serial, name, *(f"{image} {n}" for n in range(1, 4)), *FOREIGN]
    rows = [[str(n), f"Mug {n}", *(f"https://h/{n}-{m}.jpg" for m in range(1, 4)), *FOREIGN.values()] for n in range(3)]
    order = list(range(len(header)))
    straight = outcome(_table([header, *rows], order))
    shuffler.shuffle(order)
    shuffled = outcome(_table([header, *rows], order))
    assert straight.faults == ()
    assert (shuffled.faults, shuffled.products, shuffled.notes) == (straight.faults, straight.products, straight.notes)


@patient
@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No other exception leaves the reader."""
    found = outcome(text)
    assert found.products or found.faults


@patient
@given(st.sampled_from(sorted(CASES)), st.data())
def test_any_damage_is_read_or_refused(name: str, data: st.DataObject) -> None:
    """A known file with a piece cut out, or another put in, is read or refused."""
    text = CASES[name].text[:5000]
    place = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 5))
    found = outcome(text[:place] + data.draw(st.sampled_from(["", *PIECES])) + text[place + cut :])
    assert found.products or found.faults
