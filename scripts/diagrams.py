"""Draw the pictures of docs/images: `python -m scripts.diagrams` writes them, a test compares them with what is there."""

from __future__ import annotations

from pathlib import Path

from scripts.drawing import Arrow, Box, Drawing, svg

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"

JOURNEY = Drawing(
    1010, 392,
    "The journey of a CSV: the merchant uploads it; web checks and stores it and answers 202; workers plan it, process "
    "every product, finalize the request and deliver a signed webhook. The database holds the state, Redis wakes the "
    "workers, the buckets hold the files, and the sweeper recovers what a crash left.",
    boxes=(
        Box(18, 84, "Merchant", ("a CSV of", "image URLs"), "outside", 116, 72),
        Box(206, 84, "web", ("checks, stores,", "answers 202"), width=118, height=72),
        Box(380, 84, "plan", ("rows become", "products"), width=112, height=72),
        Box(524, 84, "process_product", ("download, compress,", "store; one job each"), width=150, height=72),
        Box(706, 84, "finalize", ("writes the", "output CSV"), width=112, height=72),
        Box(850, 84, "deliver", ("sends the", "signed webhook"), width=124, height=72),
        Box(540, 14, "Image hosts", (), "outside", 118, 34),
        Box(206, 280, "Buckets", ("originals, outputs,", "CSV files"), "store", 150, 68),
        Box(470, 280, "Database", ("requests, products,", "webhooks: the truth"), "store", 150, 68),
        Box(706, 280, "Redis", ("wakes workers;", "may lose anything"), "store", 130, 68),
        Box(880, 280, "sweeper", ("recovers what a", "crash left"), width=112, height=68),
    ),
    arrows=(
        Arrow("M134 106H204", "CSV", (169, 100)),
        Arrow("M206 134H136", "202, id", (171, 150)),
        Arrow("M324 120H378", classes="dashed"),
        Arrow("M492 120H522", classes="dashed"),
        Arrow("M674 120H704", classes="dashed"),
        Arrow("M818 120H848", classes="dashed"),
        Arrow("M599 48V82", "pictures", (606, 68), left=True),
        Arrow("M912 84V31H760Q740 31 740 31H700M540 31H76V82", "", classes=""),
        Arrow("M246 156V278", "CSV file", (240, 226), left=False),
        Arrow("M286 156C286 226 500 210 500 278", "request", (372, 214)),
        Arrow("M420 190C420 240 330 236 330 278", "objects", (352, 268), "both"),
        Arrow("M560 190V278", "state", (566, 240), "both", left=True),
        Arrow("M771 280V190", "jobs", (777, 240), "dashed", left=True),
        Arrow("M880 314H838", "enqueues", (859, 306), "dashed"),
        Arrow("M560 348V372H936V350", "what is left undone", (748, 366)),
    ),
    groups=(Box(366, 70, "workers: four kinds of job, each claimed under a lease", width=622, height=118),),
)  # fmt: skip


def _state(x: int, y: int, name: str, kind: str = "step", width: int = 116) -> Box:
    return Box(x, y, name, kind=kind, width=width, height=40)


REQUEST = Drawing(
    980, 330,
    "The states of a request: pending, processing, finalizing, then completed, completed_with_errors, failed or cancelled.",
    boxes=(
        _state(70, 120, "pending"),
        _state(290, 120, "processing"),
        _state(540, 120, "finalizing"),
        _state(780, 20, "completed", "end", 182),
        _state(780, 84, "completed_with_errors", "end", 182),
        _state(780, 148, "cancelled", "bad", 182),
        _state(780, 212, "failed", "bad", 182),
    ),
    arrows=(
        Arrow("M32 140H68"),
        Arrow("M186 140H288", "plan claimed", (237, 132)),
        Arrow("M406 140H538", "every product\nhas ended", (472, 118)),
        Arrow("M620 120C640 50 720 40 778 40", "every image done", (640, 50)),
        Arrow("M656 132C700 122 730 106 778 104", "some failed", (722, 98)),
        Arrow("M656 150C700 162 730 168 778 168", "cancelled", (716, 186)),
        Arrow("M620 160C640 214 700 228 778 228", "none succeeded, or\nMAX_ATTEMPTS workers died", (648, 246)),
        Arrow("M330 160C330 196 330 206 330 206C330 290 700 300 800 254", "the file cannot be planned", (486, 270)),
        Arrow("M871 252V312H348V162", "retry (from completed_with_errors, cancelled or failed)", (640, 306)),
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
        Arrow("M24 152V40H68", "bad row", (46, 34)),
        Arrow("M186 160H308", "released into\nthe window", (247, 136)),
        Arrow("M426 152H548", "claimed", (487, 146)),
        Arrow("M548 170H428", "lease expired", (487, 186)),
        Arrow("M590 140C570 60 170 60 140 138", "postponed: an outage, or a host's passing trouble", (370, 72)),
        Arrow("M666 150C730 120 770 80 828 80", "every image done", (720, 92)),
        Arrow("M666 172C730 200 770 240 828 240", "an image failed,\nor worker_lost", (712, 236)),
        Arrow("M130 180C140 250 230 276 308 278", "cancel", (214, 262)),
        Arrow("M368 180V258", "cancel", (374, 222), left=True),
        Arrow("M891 260V322H24V168", "retry (from failed or cancelled)", (640, 316)),
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
        Arrow("M566 130C660 140 700 180 788 180", "410, the schedule is used up,\nor MAX_ATTEMPTS workers died", (640, 196)),
        Arrow("M848 200V230H188V142", "redeliver (from delivered or failed)", (520, 224)),
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
