"""The documentation is tested: what exists is described, and what is linked exists."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum
from itertools import pairwise
from pathlib import Path

import pytest

from imgproc.api.problems import CODE_OF
from imgproc.app import create_app
from imgproc.cli import main
from imgproc.core.config import MIB, SettingsSchema, load_settings
from imgproc.db.engine import Base
from imgproc.db.models import DeliveryStatus, ProductStatus, RequestStatus

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
SETTINGS = SettingsSchema().fields

# What compose itself is told, rather than imgproc: the servers' own secrets, published ports, images.
COMPOSE_OWN = {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"}
COMPOSE_OWN |= {"WEB_PUBLISH", "S3_PUBLISH", "MINIO_IMAGE", "REDIS_IMAGE", "POSTGRES_IMAGE", "IMGPROC_IMAGE"}
COMPOSE_OWN |= {"ADDRESS_CONNECTIONS"}


def _words(text: str) -> set[str]:
    """Everything that stands in backticks."""
    return set(re.findall(r"`([^`\n]+)`", text))


def _configuration() -> tuple[str, str]:
    """The part about settings, and that about commands."""
    settings, _, commands = (DOCS / "configuration.md").read_text().partition("## Commands")
    return settings, commands


def _documented_settings() -> dict[str, str]:
    """The default of each setting as its row shows it; a row may hold several, separated by middle dots."""
    rows = [line.split("|")[1:4] for line in _configuration()[0].splitlines() if line.startswith("| `")]
    return {
        name.strip(" `"): default.strip(" `")
        for names, _, defaults in rows
        for name, default in zip(names.split("·"), defaults.split("·"), strict=True)
    }


def test_every_setting_is_documented_and_none_is_invented() -> None:
    """The table of settings holds exactly the schema's names."""
    assert set(_documented_settings()) == set(SETTINGS)


@pytest.mark.parametrize("name", [name for name, field in SETTINGS.items() if field.load_default and name != "WORKERS"])
def test_every_default_is_the_documented_one(name: str) -> None:
    """What the page promises is what is used; only the default of WORKERS depends on the machine."""
    default = SETTINGS[name].load_default
    number, _, unit = _documented_settings()[name].replace(",", "").partition(" ")
    documented = str(int(number) * MIB) if unit == "MiB" else number
    used = "".join(map(str, default)) if isinstance(default, tuple) else str(default).removesuffix(".0")
    assert documented == (used.lower() if default is True else used)


def test_the_example_environment_names_only_what_is_read() -> None:
    """Each variable of `.env.example` is a setting of ours or one that compose reads."""
    named = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    assert named - set(SETTINGS) == COMPOSE_OWN


def test_every_make_target_and_command_is_documented() -> None:
    """One that is not described is not there."""
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    words = _words(_configuration()[1])
    commands = {word.removeprefix("python -m imgproc ").partition(" ")[0] for word in words}
    assert {f"make {target}" for target in targets} <= words
    assert set(main.main.commands) <= commands


def test_every_route_is_documented(tmp_path: Path) -> None:
    """Each address of the app, with its parameters left out, stands in the API's page."""
    app = create_app(load_settings({"DATA_DIR": str(tmp_path)}))
    routes = {rule.rule for rule in app.url_map.iter_rules() if not rule.rule.startswith("/static")}
    page = re.sub(r"\{\w+\}", "<>", (DOCS / "api.md").read_text())
    assert {route for route in routes if re.sub(r"<\w+>", "<>", route) not in page} == set()


def _is_sentence(node: ast.expr) -> bool:
    text = isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value
    return text or isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Name) and node.id == "detail")


def _codes(tree: ast.AST) -> Iterator[str]:
    """The error codes of a module: given as `code=`, or standing just before the sentence that explains them."""
    for node in ast.walk(tree):
        values = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
        found = [code for code, text in pairwise(values) if _is_sentence(text)]
        found += [node.value] if isinstance(node, ast.keyword) and node.arg == "code" else []
        for code in found:
            if isinstance(code, ast.Constant) and re.fullmatch(r"[a-z]+(_[a-z]+)*", str(code.value)):
                yield str(code.value)


def test_every_error_code_is_documented() -> None:
    """Whatever code the sources give out can be looked up."""
    sources = [ast.parse(path.read_text()) for path in (ROOT / "imgproc").rglob("*.py")]
    given = {code for source in sources for code in _codes(source)} | set(CODE_OF.values())
    assert {"missing_file", "not_found", "no_urls", "timeout", "truncated_image", "worker_lost"} <= given
    documented = _words((DOCS / "api.md").read_text()) | _words((DOCS / "production.md").read_text())  # metrics too
    assert given - documented == set()


def test_every_table_and_column_is_documented() -> None:
    """The schema in the low-level design is the models' schema."""
    sections = re.split(r"^### `(\w+)`$", (DOCS / "lld.md").read_text(), flags=re.MULTILINE)
    documented = {
        name: re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)
        for name, text in zip(sections[1::2], sections[2::2], strict=True)
    }
    assert documented == {table.name: table.columns.keys() for table in Base.metadata.sorted_tables}


@pytest.mark.parametrize(
    ("heading", "statuses"),
    [
        pytest.param("Request", RequestStatus, id="request"),
        pytest.param("Product", ProductStatus, id="product"),
        pytest.param("Delivery", DeliveryStatus, id="delivery"),
    ],
)
def test_every_state_is_in_its_diagram(heading: str, statuses: type[Enum]) -> None:
    """A state machine is drawn with the very statuses of the database."""
    section = (DOCS / "lld.md").read_text().partition(f"### {heading}\n")[2]
    diagram = section.partition("stateDiagram-v2")[2].partition("```")[0]
    drawn = {state for arrow in re.findall(r"(\S+) --> (\w+)", diagram) for state in arrow}
    assert drawn - {"[*]"} == {status.value for status in statuses}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """Files and pictures that a page links to exist."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_as_many_security_cases_run_as_the_page_says() -> None:
    """Each file of the table of cases has at least so many, as pytest itself counts them."""
    documented = dict(re.findall(r"\(\.\./(tests/\S+\.py)\) \| (\d+) \|", (DOCS / "security.md").read_text()))
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *documented]
    listed = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    counted = dict(re.findall(r"^(\S+\.py): (\d+)$", listed, re.MULTILINE))
    assert {file for file, cases in documented.items() if int(counted[file]) < int(cases)} == set()
    assert len(documented) > 10


def test_the_readme_can_be_read_in_one_go() -> None:
    """At most 150 lines."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
