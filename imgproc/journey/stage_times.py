"""How long each stage of one image took, as stored: in whole milliseconds, without the stages inside it."""

from __future__ import annotations

from imgproc.core.metrics import StageSeconds

OF_DOWNLOAD = ("dns", "connect", "tls", "first_byte")  # the stages inside a download
# The stages in order, each with the measured ones that it is made of. An image is made, or copied from its duplicate.
STAGES = {
    "wait": ("wait",),
    "dns": ("dns",),
    "connect": ("connect", "tls"),
    "first_byte": ("first_byte",),
    "download": ("download",),
    "decode": ("decode",),
    "encode": ("encode",),
    "store": ("put",),
    "copy": ("copy",),
}


def stages_ms(spent: StageSeconds) -> dict[str, int]:
    """The stages that took place, in order."""
    own = dict(spent)
    if "download" in own:
        own["download"] = max(0.0, own["download"] - sum(own.get(part, 0.0) for part in OF_DOWNLOAD))
    return {
        stage: round(1000 * sum(own.get(part, 0.0) for part in parts))
        for stage, parts in STAGES.items()
        if any(part in own for part in parts)
    }
