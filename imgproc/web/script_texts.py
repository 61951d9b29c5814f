"""What `console.js` says, in the language of the page. `{name}` and `{size}` are filled in by the script."""

from __future__ import annotations

from imgproc.web.display import translated
from imgproc.web.texts import N_

TEXTS = {
    "tooLarge": N_("{name} is larger than {size}. Split it into several files."),
    "sending": N_("Sending {name} …"),
    "reading": N_("Reading it …"),
    "broken": N_("The connection broke off. Choose the file again."),
    "compare": N_("Before and after"),
    "slider": N_("Before ↔ after"),
    "exact": N_("Show 1:1"),
    "fit": N_("Fit the window"),
    "before": N_("{percent} before"),
    "close": N_("Close"),
    "copy": N_("Copy"),
    "copied": N_("Copied"),
}


def script_texts() -> dict[str, str]:
    """The texts by the names that the script has for them."""
    return translated(TEXTS)
