"""The Helm chart: the table of its values for the documentation, and what it renders to.

`python -m scripts.helm_chart` writes the table into docs/how-to/kubernetes.md. The description of a value is the
comment before it that starts with `# --`.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from scripts.programs import find

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "ops/helm/imgproc"
PAGE = ROOT / "docs/how-to/kubernetes.md"
EXAMPLES = sorted((CHART / "ci").glob("*.yaml"))
KUBERNETES = "1.34.0"
START, END = "<!-- Written by make pages. -->\n", "<!-- End of the values. -->\n"
KEY = re.compile(r"^( *)([A-Za-z0-9]+):")


def described() -> dict[str, str]:
    """The description of each value that has one, by its dotted path."""
    found: dict[str, str] = {}
    path: list[str] = []
    comment: list[str] = []
    for line in (CHART / "values.yaml").read_text().splitlines():
        text = line.strip()
        if text.startswith("# -- "):
            comment = [text[5:]]
        elif text.startswith("# ") and comment:
            comment.append(text[2:])
        elif match := KEY.match(line):
            path = [*path[: len(match[1]) // 2], match[2]]
            if comment:
                found[".".join(path)] = " ".join(comment)
            comment = []
    return found


def leaves(values: dict[str, Any], documented: set[str], path: str = "") -> Iterator[tuple[str, Any]]:
    """Each value without values of its own, or with a description, and its default."""
    for name, value in values.items():
        full = f"{path}{name}"
        if isinstance(value, dict) and value and full not in documented:
            yield from leaves(value, documented, f"{full}.")
        else:
            yield full, value


def defaults() -> dict[str, Any]:
    """The default of each value, by its dotted path."""
    return dict(leaves(yaml.safe_load((CHART / "values.yaml").read_text()), set(described())))


def table() -> str:
    """The table of the documentation."""
    texts = described()
    rows = [f"| `{name}` | {texts[name]} | {_shown(value)} |" for name, value in defaults().items()]
    return "\n".join(["| value | meaning | default |", "|---|---|---|", *rows]) + "\n"


def _shown(value: Any) -> str:
    return "none" if value in ("", [], {}) else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def page() -> str:
    """The page with the table as it should be."""
    text = PAGE.read_text()
    before, _, rest = text.partition(START)
    return f"{before}{START}{table()}{END}{rest.partition(END)[2]}"


def lint(example: Path, *, helm: str) -> subprocess.CompletedProcess[str]:
    """What `helm lint` says of the chart with the values of a file."""
    command = [helm, "lint", str(CHART), "--strict", "--quiet", "--kube-version", KUBERNETES, "--values", str(example)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def render(*arguments: str, helm: str) -> subprocess.CompletedProcess[str]:
    """The manifests of a release named `shop`, or why there are none."""
    command = [helm, "template", "shop", str(CHART), "--kube-version", KUBERNETES, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def wrong(folder: Path) -> Iterator[str]:
    """Everything that is wrong with the chart and its examples; `folder` is for the manifests.

    Raises:
        LookupError: a program is missing; the message names it.
    """
    helm, validate = find("helm"), find("kubernetes-validate")
    if helm is None or validate is None:
        raise LookupError("helm and kubernetes-validate are missing (make programs)")
    files = []
    for example in EXAMPLES:
        linted, rendered = lint(example, helm=helm), render("--values", str(example), helm=helm)
        for done in (linted, rendered):
            if done.returncode:
                yield f"{example.name}: {done.stdout}{done.stderr}"
        files.append(folder / example.name)
        files[-1].write_text(rendered.stdout)
    # Those of KEDA have no schema there, and give a warning.
    schemas = ["-k", KUBERNETES.rpartition(".")[0], "--strict", "--quiet", "--no-warn"]
    done = subprocess.run([validate, *schemas, *map(str, files)], check=False, capture_output=True, text=True)
    if done.returncode:
        yield done.stdout + done.stderr


if __name__ == "__main__":
    PAGE.write_text(page())
