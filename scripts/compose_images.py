"""Make stand-ins for the images that the compose file pulls, from Debian packages and Go modules.

For machines that reach package registries but no image registry: `make compose-images` needs root, docker, debootstrap,
go and the Python of the image (ARGS=/path/to/python3.13). Each image gets the name of the one it stands for, with its
users, entry point and volumes.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUITE, MIRROR = "trixie", "http://deb.debian.org/debian"
PACKAGES = (
    "ca-certificates,curl,fonts-dejavu-core,nginx-light,postgresql-17,procps,python3,python3-pip,python3-venv,"
    "valkey-server,valkey-tools,wget"
)
BASE = "imgproc-check-base"

# Does what the official entry point does with the variables that compose sets.
POSTGRES_START = """#!/bin/sh
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
  initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256 --encoding=utf8
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  pg_ctl -w start -o "-c listen_addresses=''"
  createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
  pg_ctl -w stop
fi
exec "$@" -c 'listen_addresses=*'
"""
PIP_CONF = "[global]\nno-index = true\nfind-links = /wheels\n"

PYTHON = f"""FROM {BASE}
RUN ln -s python3 /usr/bin/python
COPY pip.conf /etc/pip.conf
COPY wheels /wheels
"""
VALKEY = f"""FROM {BASE}
RUN mkdir /data && chown valkey /data
VOLUME /data
"""
NGINX = f"FROM {BASE}\n"
POSTGRES = f"""FROM {BASE}
ENV PATH=/usr/lib/postgresql/17/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data
COPY postgres-start /usr/local/bin/
RUN mkdir -p /var/run/postgresql $PGDATA && chown postgres /var/run/postgresql $PGDATA && chmod 700 $PGDATA \
    && chmod 3777 /var/run/postgresql
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["/usr/local/bin/postgres-start"]
CMD ["postgres"]
"""
MINIO = f"""FROM {BASE}
COPY minio mc /usr/bin/
VOLUME /data
ENTRYPOINT ["/usr/bin/minio"]
"""


def run(*command: str, cwd: Path | None = None) -> None:
    """Run a command, which reports by itself; end with its status if it fails."""
    if status := subprocess.run(command, cwd=cwd, check=False).returncode:
        sys.exit(status)


def names() -> dict[str, str]:
    """The name of the image of each role, from the files that name it."""
    compose, example = (ROOT / "docker-compose.yml").read_text(), (ROOT / ".env.example").read_text()
    found = {
        "python": re.search(r"^ARG PYTHON_IMAGE=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE),
        "valkey": re.search(r"REDIS_IMAGE:-([^}]+)}", compose),
        "postgres": re.search(r"POSTGRES_IMAGE:-([^}]+)}", compose),
        "nginx": re.search(r"image: (nginx\S+)", compose),
        "minio": re.search(r"^MINIO_IMAGE=(\S+)", example, re.MULTILINE),
    }
    return {role: match[1] for role, match in found.items() if match}


def go_program(module: str, target: Path, sources: Path) -> None:
    """Build the program of a Go module; `go install` refuses modules that replace others."""
    query = ["go", "mod", "download", "-json", f"{module}@latest"]
    found = subprocess.run(query, check=True, stdout=subprocess.PIPE)
    shutil.copytree(json.loads(found.stdout)["Dir"], sources)
    run("chmod", "--recursive", "u+w", str(sources))
    run("env", "CGO_ENABLED=0", "go", "build", "-o", str(target), ".", cwd=sources)


def main(folder: Path, python: str = "python3.13") -> None:
    """Make the base, then each image in it. `folder` keeps what takes long, so a second run is short."""
    if not (folder / "base.tar").exists():
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(folder / "base"), MIRROR)
        run("tar", "--create", "--file", str(folder / "base.tar"), "--directory", str(folder / "base"), ".")
    run("docker", "import", str(folder / "base.tar"), BASE)
    for program in ("minio", "mc"):
        if not (folder / program).exists():
            with tempfile.TemporaryDirectory() as sources:
                go_program(f"github.com/minio/{program}", folder / program, Path(sources, program))
    pip = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    wheels = ["--only-binary", ":all:", "--require-hashes", "--dest", str(folder / "wheels")]
    for requirements in re.findall(r"-r /(requirements-\S+\.txt)", (ROOT / "Dockerfile").read_text()):
        run(*pip, *wheels, "--requirement", str(ROOT / requirements))
    (folder / "pip.conf").write_text(PIP_CONF)
    (folder / "postgres-start").write_text(POSTGRES_START)
    (folder / "postgres-start").chmod(0o755)
    (folder / ".dockerignore").write_text("base\nbase.tar\n")
    recipes = {"python": PYTHON, "valkey": VALKEY, "nginx": NGINX, "postgres": POSTGRES, "minio": MINIO}
    for role, name in names().items():
        recipe = folder / f"{role}.Dockerfile"
        recipe.write_text(recipes[role])
        run("docker", "build", "--quiet", "--tag", name, "--file", str(recipe), str(folder))


if __name__ == "__main__":
    made = ROOT / "var/compose-images"
    made.mkdir(parents=True, exist_ok=True)
    main(made, *sys.argv[1:])
