"""Draw the pictures of docs/images: `python -m scripts.diagrams` writes them, and a test finds outdated ones."""

from __future__ import annotations

from pathlib import Path

from scripts.drawing import Arrow, Box, Drawing, svg

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"

JOURNEY = Drawing(
    1010, 430,
    "The journey of a CSV: the merchant uploads it; web checks and stores it and answers 202; workers plan it, process "
    "every product and finalize the request; a worker of its own delivers a signed webhook. The database holds the "
    "state, Redis wakes the workers, the buckets hold the files, and the sweeper recovers what a crash left.",
    boxes=(
        Box(18, 120, "Merchant", ("a CSV of", "image URLs"), "outside", 116, 72),
        Box(206, 120, "web", ("checks, stores,", "answers 202"), width=118, height=72),
        Box(380, 120, "plan", ("rows become", "products"), width=112, height=72),
        Box(524, 120, "process_product", ("download, compress,", "store; one job each"), width=150, height=72),
        Box(706, 120, "finalize", ("writes the", "output CSV"), width=112, height=72),
        Box(850, 120, "deliver", ("sends the", "signed webhook"), width=124, height=72),
        Box(540, 44, "Image hosts", (), "outside", 118, 34),
        Box(244, 304, "Buckets", ("originals, outputs,", "CSV files"), "store", 150, 68),
        Box(430, 304, "Database", ("requests, products,", "webhooks: the truth"), "store", 150, 68),
        Box(656, 304, "Redis", ("wakes workers;", "may lose anything"), "store", 134, 68),
        Box(868, 304, "sweeper", ("recovers what a", "crash left"), width=120, height=68),
    ),
    arrows=(
        Arrow("M134 142H204", "CSV", (169, 136)),
        Arrow("M206 170H136", "202, id", (171, 186)),
        Arrow("M324 156H378", classes="dashed"),
        Arrow("M492 156H522", classes="dashed"),
        Arrow("M674 156H704", classes="dashed"),
        Arrow("M818 156H848", classes="dashed"),
        Arrow("M599 78V118", "pictures", (606, 98), left=True),
        Arrow("M912 120V30H76V118", "signed webhook with the address of the output CSV", (300, 24)),
        Arrow("M280 192V302", "CSV file", (286, 252), left=True),
        Arrow("M226 192V400H505V374", "request", (366, 394)),
        Arrow("M380 226V302", "objects", (386, 268), "both", left=True),
        Arrow("M505 226V302", "state", (511, 268), "both", left=True),
        Arrow("M723 304V228", "jobs", (729, 268), "dashed", left=True),
        Arrow("M868 338H792", "enqueues", (831, 330), "dashed"),
        Arrow("M540 372V400H928V374", "expired leases, lost jobs", (734, 394)),
    ),
    groups=(
        Box(366, 106, "workers: owners take turns, each job under a lease", width=464, height=118),
        Box(838, 106, "delivery worker", width=150, height=118),
    ),
)  # fmt: skip


def _state(x: int, y: int, name: str, kind: str = "step", width: int = 116) -> Box:
    return Box(x, y, name, kind=kind, width=width, height=40)


REQUEST = Drawing(
    980, 330,
    "The states of a request: pending, processing, finalizing, then completed, completed_with_errors, failed or "
    "cancelled.",
    boxes=(
        _state(70, 120, "pending"),
        _state(290, 120, "processing"),
        _state(540, 120, "finalizing"),
        _state(780, 20, "completed", "end", 190),
        _state(780, 84, "completed_with_errors", "end", 190),
        _state(780, 148, "cancelled", "bad", 190),
        _state(780, 212, "failed", "bad", 190),
    ),
    arrows=(
        Arrow("M32 140H68"),
        Arrow("M186 140H288", "plan claimed", (237, 132)),
        Arrow("M406 140H538", "every product\nhas ended", (472, 118)),
        Arrow("M620 120C640 50 720 40 778 40", "every image done", (602, 58)),
        Arrow("M656 132C700 122 730 106 778 104", "some failed", (722, 98)),
        Arrow("M656 150C700 162 730 168 778 168", "cancelled", (716, 186)),
        Arrow("M620 160C640 214 700 228 778 228", "none succeeded, or\nMAX_ATTEMPTS workers died", (546, 206)),
        Arrow("M366 160V276H820V254", "the file cannot be planned", (560, 270)),
        Arrow("M900 252V312H316V162", "retry (from completed_with_errors, cancelled or failed)", (640, 306)),
    ),
    starts=((24, 140),),
)  # fmt: skip

PRODUCT = Drawing(
    980, 340,
    "The states of a product: pending, queued, processing, then completed, failed or cancelled; a bad row is skipped.",
    boxes=(
        _state(70, 140, "pending"),
        _state(310, 140, "queued"),
        _state(550, 140, "processing"),
        _state(830, 60, "completed", "end", 122),
        _state(830, 220, "failed", "bad", 122),
        _state(310, 260, "cancelled", "bad"),
        _state(70, 20, "skipped", "bad"),
    ),
    arrows=(
        Arrow("M32 160H68"),
        Arrow("M24 152V40H68", "bad row", (31, 100), left=True),
        Arrow("M186 160H308", "released into\nthe window", (247, 136)),
        Arrow("M426 152H548", "claimed", (487, 146)),
        Arrow("M548 170H428", "lease expired", (487, 186)),
        Arrow("M590 140C570 60 170 60 140 138", "postponed: an outage, or a host's passing trouble", (370, 72)),
        Arrow("M666 150C730 120 770 80 828 80", "every image done", (684, 88)),
        Arrow("M666 172C730 200 770 240 828 240", "an image failed,\nor worker_lost", (712, 236)),
        Arrow("M130 180C140 250 230 276 308 278", "cancel", (226, 246)),
        Arrow("M368 180V258", "cancel", (374, 222), left=True),
        Arrow("M891 260V322H94V182", "retry (from failed or cancelled)", (640, 316)),
        Arrow("M368 300V320"),
    ),
    starts=((24, 160),),
)  # fmt: skip

DELIVERY = Drawing(
    980, 250,
    "The states of a delivery: pending, sending, then delivered or failed.",
    boxes=(
        _state(130, 100, "pending"),
        _state(450, 100, "sending"),
        _state(790, 40, "delivered", "end"),
        _state(790, 160, "failed", "bad"),
    ),
    arrows=(
        Arrow("M32 120H128", "request ended", (80, 112)),
        Arrow("M246 112H448", "due, and claimed", (347, 106)),
        Arrow("M448 130H248", "lease expired, or the next\nattempt waits for its time", (347, 148)),
        Arrow("M566 110C660 104 700 60 788 60", "2xx", (690, 66)),
        Arrow("M566 130C660 140 700 180 788 180", "410, the schedule is used up,\nor MAX_ATTEMPTS deaths", (640, 196)),
        Arrow("M848 200V230H188V142", "redeliver (from delivered or failed)", (400, 224)),
    ),
    starts=((24, 120),),
)  # fmt: skip

DRAWINGS = {"journey": JOURNEY, "request-states": REQUEST, "product-states": PRODUCT, "delivery-states": DELIVERY}


def main() -> None:
    """Write every picture."""
    for name, drawing in DRAWINGS.items():
        (FOLDER / f"{name}.svg").write_text(svg(drawing))


if __name__ == "__main__":
    main()
