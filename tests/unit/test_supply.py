"""Dependencies are pinned, hashed and installed from wheels, under allowed licences."""

from __future__ import annotations

import hashlib
import json
import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from PIL import features

from scripts import image_check, licences, pin_images, sbom

ROOT = Path(__file__).parents[2]
LOCKS = [*ROOT.glob("requirements*.txt"), ROOT / "benchmarks/thumbor/requirements.txt"]
REQUIREMENTS = (ROOT / "requirements.txt").read_text()
PINS = licences.pins(REQUIREMENTS)
PINS_ON_THE_PAGE = licences.pins("".join(licences.locked().values()))
PAGE = (ROOT / "docs/reference/licences.md").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()


# Locks and wheels


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_every_requirement_is_pinned_and_hashed(lock: Path) -> None:
    """Each line of a lock is an exact version, a hash or a comment; none names an index."""
    lines = [line for line in lock.read_text().splitlines() if line and not line.lstrip().startswith("#")]
    pins = [line for line in lines if not line.startswith("    --hash=sha256:")]
    assert [line for line in pins if not licences.PIN.match(line)] == []
    followers = dict(zip(lines, [*lines[1:], ""], strict=True))
    assert [line for line in pins if not followers[line].startswith("    --hash=sha256:")] == []


def test_only_wheels_are_installed() -> None:
    """The image and `make` install only wheels with known hashes."""
    installs = [
        image_check.install_command(DOCKERFILE),
        *re.findall("^PIP_INSTALL.*", (ROOT / "Makefile").read_text(), re.M),
    ]
    assert len(installs) == 2
    assert all("--require-hashes" in each and "--only-binary :all:" in each for each in installs)


def test_the_image_check_runs_the_dockerfiles_command() -> None:
    """Only the interpreter and the folder are different."""
    command = image_check.install_command(DOCKERFILE)
    adapted = image_check.adapted(command, python="/usr/bin/python3.13", folder=Path("/scratch"))
    assert adapted != command
    assert adapted.replace("/usr/bin/python3.13 -m venv", "python -m venv").replace("/scratch/", "/") == command
    assert not re.search(r"(?<!/scratch)/(venv|requirements)", adapted)


def test_the_image_check_copies_the_files_of_the_image() -> None:
    """It copies the files of the last build stage, and none of the first."""
    assert image_check.copied(DOCKERFILE) == [
        "migrations",
        "imgproc",
        "docs",
        "wsgi.py",
        "rq_worker.py",
        "gunicorn.conf.py",
    ]


def test_an_install_that_fails_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """The error is printed, and the exit code is not 0."""
    (tmp_path / "Dockerfile").write_text("FROM a:1 AS b\nRUN false # pip install\nFROM a:1\n")
    for name in image_check.LOCKS:
        (tmp_path / name).touch()
    monkeypatch.setattr(image_check, "ROOT", tmp_path)
    monkeypatch.setattr(image_check, "interpreter", lambda version: "python3")
    assert image_check.main() == 1
    assert "FAILED" in capsys.readouterr().err


# Licences


@pytest.mark.parametrize("name", PINS_ON_THE_PAGE)
def test_every_licence_is_listed_and_allowed(name: str) -> None:
    """The page has the licence of the package, and the licence is on the allow-list."""
    tables = "".join(re.findall("(?s)<!-- made.*?-->(.*?)<!-- end -->", PAGE))
    [listed] = set(re.findall(rf"^\| {re.escape(name)} \| (.+) \|$", tables, re.MULTILINE))
    assert licences.is_allowed(listed), f"{name}: {listed}"
    said = licences.licence(name)
    assert said in (listed, "UNKNOWN")
    if said == "UNKNOWN":  # a pin for another platform is not installed here
        with pytest.raises(PackageNotFoundError):
            distribution(name)


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MPL-2.0", True),
        ("LGPL-3.0-or-later", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND PSF-2.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-2.0-or-later", False),
        ("AGPL-3.0-only", False),
        ("SSPL-1.0", False),
        ("UNKNOWN", False),
        ("", False),
    ],
)
def test_the_allow_list_refuses_other_licences(expression: str, *, allowed: bool) -> None:
    """With OR one licence must be allowed, with AND all of them."""
    assert licences.is_allowed(expression) is allowed


def test_every_library_in_a_wheel_is_listed() -> None:
    """The page lists the shared libraries in runtime wheels."""
    brought = set()
    for name in PINS:
        try:
            files = distribution(name).files or []
        except PackageNotFoundError:
            continue
        brought |= {file.name.partition("-")[0].partition(".")[0] for file in files if ".libs" in file.parts[0]}
    assert {"libvips", "libjpeg", "libssl"} <= brought
    assert {library for library in brought if library not in PAGE} == set()


def test_pillow_comes_without_its_gpl_part() -> None:
    """Pillow can be built with libimagequant, but its wheels do not have it."""
    assert not features.check("libimagequant")


# The bill of materials


@pytest.mark.exhaustive
def test_the_bill_of_materials_is_valid_and_complete(tmp_path: Path) -> None:
    """It follows the CycloneDX schema, has every pin with a hash and a licence, and is reproducible."""
    # Every process that collects this file would wait for the grammars that these imports compile.
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415

    first, second = tmp_path / "a.json", tmp_path / "b" / "b.json"
    for target in (first, second):
        sbom.main(ROOT / "requirements.txt", target)
    assert first.read_bytes() == second.read_bytes()
    document = json.loads(first.read_text())
    version = SchemaVersion[f"V{document['specVersion'].replace('.', '_')}"]
    assert JsonStrictValidator(version).validate_str(first.read_text()) is None
    components = document["components"]
    assert {(each["name"], each["version"]) for each in components} == {
        (name, version) for name, versions in PINS.items() for version in versions
    }
    assert all(each["licenses"] and each["externalReferences"][0]["hashes"] for each in components)


# Container images


def test_every_image_has_a_version() -> None:
    """No image is `latest`, which changes with each push."""
    found = [image for _, image in pin_images.images(ROOT)]
    assert len(found) >= 4
    assert [image for image in found if not re.search(r":\w*[\d.]+[\w.-]*(@sha256:|$)", image)] == []
    named = re.findall(r"^\s+image: (.*)$", (ROOT / "docker-compose.yml").read_text(), re.MULTILINE)
    elsewhere = ("IMGPROC_IMAGE", "MINIO_IMAGE")  # built here; named in .env.example
    assert [each for each in named if not any(one in each for one in (*elsewhere, *found))] == []


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files that name images, and a skopeo whose manifests are the names of the images."""
    for name in pin_images.NAMED:
        (tmp_path / name).write_text((ROOT / name).read_text())
    tool = tmp_path / "bin" / "skopeo"
    tool.parent.mkdir()
    tool.write_text("""#!/bin/sh\nprintf '{"schemaVersion": 2, "of": "%s"}' "$3"\n""")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:/bin")
    monkeypatch.setattr(pin_images, "TOOLS", {"skopeo": pin_images.TOOLS["skopeo"]})
    return tmp_path


def test_digests_are_written_beside_image_names(images: Path, capsys: Any) -> None:
    """The tag is kept for readers; a second run changes nothing."""
    loose = [image for _, image in pin_images.images(images)]
    assert pin_images.main(check=True, root=images) == int(any("@" not in image for image in loose))
    assert pin_images.main(check=False, root=images) == 0
    pinned = {image for _, image in pin_images.images(images)}
    tags = {image.partition("@")[0] for image in loose}
    manifest = '{{"schemaVersion": 2, "of": "docker://{}"}}'
    assert pinned == {f"{tag}@sha256:{hashlib.sha256(manifest.format(tag).encode()).hexdigest()}" for tag in tags}
    before = [(images / name).read_text() for name in pin_images.NAMED]
    assert pin_images.main(check=False, root=images) == 0
    assert [(images / name).read_text() for name in pin_images.NAMED] == before
    assert pin_images.main(check=True, root=images) == 0
    assert "every image has a digest" in capsys.readouterr().out


def test_no_digest_is_written_without_a_registry(images: Path) -> None:
    """If the tool fails, the files stay unchanged."""
    (images / "bin" / "skopeo").write_text("#!/bin/sh\necho unreachable >&2; exit 1\n")
    before = [(images / name).read_text() for name in pin_images.NAMED]
    with pytest.raises(SystemExit, match="unreachable"):
        pin_images.main(check=False, root=images)
    assert [(images / name).read_text() for name in pin_images.NAMED] == before
