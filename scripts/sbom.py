"""Write the bill of materials of a lock file as CycloneDX JSON, with its hashes and the licences of our list."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from imgproc import __version__
from scripts.licences import ROOT, licence

CYCLONEDX = [str(Path(sys.executable).parent / "cyclonedx-py"), "requirements"]
OPTIONS = ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application", "--output-reproducible"]


def main(requirements: Path, target: Path) -> None:
    """Write `target` and create its folder. The same lock gives the same bytes.

    Raises:
        CalledProcessError: the lock cannot be read.
    """
    made = subprocess.run([*CYCLONEDX, *OPTIONS, str(requirements)], capture_output=True, text=True, check=True).stdout
    document = json.loads(made)
    document["metadata"]["component"]["version"] = __version__
    for component in document["components"]:
        del component["description"]  # repeats the line of the lock
        component["licenses"] = [{"expression": licence(component["name"])}]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, indent=1) + "\n")
    print(f"sbom: {target}: {len(document['components'])} components.")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
