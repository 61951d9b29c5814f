"""Write the digest of every container image, as its registry reports it now, into the files that name the image.

A tag can be moved to another image, a digest cannot. Needs docker (buildx) or skopeo, and the registries. `--check`
changes nothing, and exits with 1 if an image has no digest.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
# Where images are named: the base of our image, the services of compose (with or without a variable), the object store.
NAMED = {
    "Dockerfile": r"^(?:ARG \w+_IMAGE=|FROM )(?P<image>[^\s$]+:[^\s$]+)",
    "docker-compose.yml": r"^\s+image: (?:\$\{\w+:-)?(?P<image>[^\s$}]+)\}?$",
    ".env.example": r"^\w+_IMAGE=(?P<image>\S+)$",
}
OURS = re.compile(r"imgproc:")  # built from the Dockerfile, so no registry has it
TOOLS = {
    "docker": ["docker", "buildx", "imagetools", "inspect", "--raw"],
    "skopeo": ["skopeo", "inspect", "--raw"],
}


def images(root: Path) -> Iterator[tuple[str, str]]:
    """Each file with the images it names, including their digests."""
    for name, pattern in NAMED.items():
        for match in re.finditer(pattern, (root / name).read_text(), re.MULTILINE):
            if not OURS.match(match["image"]):
                yield name, match["image"]


def digest(image: str) -> str:
    """The digest of an image for all platforms: the SHA-256 of the manifest that its registry has now.

    Raises:
        SystemExit: docker and skopeo are missing, or the registry does not answer.
    """
    tool = next(filter(shutil.which, TOOLS), None)
    if tool is None:
        sys.exit("pin-images: needs docker (with buildx) or skopeo.")
    command = [*TOOLS[tool], f"docker://{image}" if tool == "skopeo" else image]
    told = subprocess.run(command, capture_output=True, check=False)
    if told.returncode or (b"mediaType" not in told.stdout and b"schemaVersion" not in told.stdout):
        sys.exit(f"pin-images: no manifest of {image}: {told.stderr.decode(errors='replace').strip()}")
    return "sha256:" + hashlib.sha256(told.stdout).hexdigest()


def main(*, check: bool, root: Path = ROOT) -> int:
    """Pin every image or, with `check`, print those that are not pinned."""
    found = list(dict.fromkeys(images(root)))  # two services may run one image
    if check:
        loose = [f"{image} ({name})" for name, image in found if not DIGEST.search(image)]
        print(f"pin-images: without a digest: {', '.join(loose)}" if loose else "pin-images: every image has a digest.")
        return bool(loose)
    for name, image in found:
        tagged = DIGEST.sub("", image)
        pinned = f"{tagged}@{digest(tagged)}"
        path = root / name
        path.write_text(path.read_text().replace(image, pinned))
        print(f"pin-images: {name}: {pinned}")
    return 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
