"""Build the Python layer of the image with the Dockerfile's own command, once for each Python, and use it.

For a Python that this machine lacks, the script downloads the wheels and compares their hashes. For other platforms, it
looks up whether wheels exist. It needs `uv` and a package index.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.13", "3.14")  # the Python of the image, and the next one
SUPPORTED = ("3.10", "3.11", "3.12", *VERSIONS)
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "x86_64-apple-darwin", "aarch64-apple-darwin")
HERE = PLATFORMS[0]
LOCKS = ("requirements-image.txt", "requirements-heic.txt", "requirements-otel.txt", "requirements-sentry.txt")
UV = (
    str(Path(sys.executable).parent / "uv"),
    "pip",
    "install",
    "--quiet",
    "--only-binary",
    ":all:",
    "--require-hashes",
)

# What a container does before it needs a server: import the modules of every role, and encode with every C library.
PROBE = """
import io, sys
from PIL import Image
import pillow_heif, psycopg, obstore, simplejpeg, wsgi, rq_worker, imgproc.core.otel, imgproc.core.sentry
from imgproc.pipeline.images.compress import CompressOptions, compress
source = io.BytesIO()
Image.effect_mandelbrot((640, 480), (-2, -1, 1, 1), 60).convert("RGB").save(source, "PNG")
sizes = {}
for quality in (50, "smart"):
    for target in ("jpeg", "webp", "avif", "png"):
        options = CompressOptions(format=target, quality=quality)
        sizes[target, quality] = len(compress(source.getvalue(), options=options, max_pixels=10**6).body)
heic = io.BytesIO()
pillow_heif.from_pillow(Image.open(source)).save(heic)
svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="32"/>'
for drawn in (heic.getvalue(), svg):
    assert compress(drawn, options=CompressOptions(), max_pixels=10**6).body
assert sizes["jpeg", "smart"] < sizes["jpeg", 50], sizes
print(f"Python {sys.version.split()[0]}: the app is imported, 10 pictures are compressed.")
"""


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile with their arguments, continued lines joined."""
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", dockerfile, flags=re.MULTILINE))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines()) if rest]


def install_command(dockerfile: str) -> str:
    """The RUN command that creates the virtual environment and installs into it."""
    [command] = [rest for word, rest in instructions(dockerfile) if word == "RUN" and "pip install" in rest]
    return command


def copied(dockerfile: str) -> list[str]:
    """The paths that the last stage copies from the build context."""
    after = dockerfile.rpartition("\nFROM ")[2]
    copies = [rest.split() for word, rest in instructions(after) if word == "COPY" and not rest.startswith("--from")]
    return [source for words in copies for source in words[:-1]]


def adapted(command: str, *, python: str, folder: Path) -> str:
    """The same command with this interpreter, and with `folder` instead of the root of the image."""
    command = re.sub(r"(?<![\w/])/(venv|requirements-(?:image|heic|otel|sentry)\.txt)\b", rf"{folder}/\1", command)
    return re.sub(r"^python(?= -m venv)", python, command)


def interpreter(version: str) -> str | None:
    """A Python of `version` that can create virtual environments: from PATH or from pyenv."""
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = [shutil.which(f"python{version}"), *map(str, sorted(kept.glob(f"{version}.*/bin/python")))]
    check = f"import sys, venv, ensurepip; assert sys.version_info[:2] == {tuple(map(int, version.split('.')))}"
    for python in filter(None, found):
        if subprocess.run([python, "-c", check], capture_output=True, check=False).returncode == 0:
            return python
    return None


def build_and_use(python: str, folder: Path) -> None:
    """Build the layer in `folder`, copy the files of the image there, and run the probe."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    for name in LOCKS:
        shutil.copy(ROOT / name, folder)
    command = adapted(install_command(dockerfile), python=python, folder=folder)
    subprocess.run(["sh", "-ec", command], check=True, env=os.environ | {"PIP_QUIET": "1"})
    app = folder / "app"
    app.mkdir()
    for name in copied(dockerfile):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, app / name)
    environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(folder / "data")}
    subprocess.run([folder / "venv/bin/python", "-c", PROBE], cwd=app, env=environment, check=True, timeout=300)


def wheels(version: str, platform: str, *, target: Path) -> list[str]:
    """The command that installs the wheels for any Python and platform into a folder and compares their hashes."""
    where = ["--target", str(target), "--python-version", version, "--python-platform", platform]
    return [*UV, *where, *(word for name in LOCKS for word in ("-r", str(ROOT / name)))]


def steps(folder: Path) -> Iterator[str]:
    """Run one check after the other; yields a line about each.

    Raises:
        CalledProcessError: a check failed.
    """
    found = {version: interpreter(version) for version in VERSIONS}
    for version, python in found.items():
        if python:
            (layer := folder / version).mkdir()
            build_and_use(python, layer)
            yield f"Python {version}: the layer is built by the Dockerfile's command and works."
        else:
            subprocess.run(wheels(version, HERE, target=folder / version), check=True)
            yield f"Python {version}: SKIPPED the run, as it is not on this machine; all wheels are here, hashes match."
    if not any(found.values()):
        (layer := folder / "own").mkdir()
        build_and_use(sys.executable, layer)
        yield f"Instead, the layer is built with {sys.executable} and works."
    for version in SUPPORTED:
        for platform in PLATFORMS:
            subprocess.run([*wheels(version, platform, target=folder / "none"), "--dry-run"], check=True)
    yield f"Every pin has a wheel for Python {', '.join(SUPPORTED)} on {', '.join(PLATFORMS)}."


def main() -> int:
    """Run and print all checks; 1 if one fails, after its own error output."""
    with tempfile.TemporaryDirectory(prefix="imgproc-image-") as folder:
        try:
            for done in steps(Path(folder)):
                print(f"image-check: {done}", flush=True)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"image-check: FAILED: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
