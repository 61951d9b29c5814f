"""The documentation is tested: everything public is documented, and every link leads somewhere."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from imgproc.api.problems import CODE_OF
from imgproc.app import create_app
from imgproc.cli import main
from imgproc.core import errors
from imgproc.core.config import MIB, SettingsSchema, load_settings
from imgproc.core.errors import ImgprocError
from imgproc.db.engine import Base
from imgproc.db.statuses import DeliveryStatus, ProductStatus, RequestStatus
from scripts import cli_reference, diagrams, file_messages, helm_chart, metrics_reference, package_map, upload_options
from scripts.drawing import svg

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
CHANGELOG = ROOT / "CHANGELOG.md"
ERRORS, DESIGN, SECURITY = (
    DOCS / "reference/errors.md",
    DOCS / "explanation/design.md",
    DOCS / "explanation/security.md",
)
SETTINGS = SettingsSchema().fields
PACKAGES = package_map.packages()
FORMATS = {"jpeg", "heic", "icon", "formula"}  # words that look like codes to the search below
NAMED_PATH = r"(?:docs|tests|imgproc|scripts|benchmarks|migrations|minio|nginx|ops|postgres|postman)/[\w./-]*"

# Variables for compose itself rather than for imgproc: secrets of the servers, published ports, images.
COMPOSE_OWN = {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"}
COMPOSE_OWN |= {"WEB_PUBLISH", "S3_PUBLISH", "MINIO_IMAGE", "REDIS_IMAGE", "POSTGRES_IMAGE", "IMGPROC_IMAGE"}
COMPOSE_OWN |= {"ADDRESS_CONNECTIONS", "OUTPUTS_MAX_AGE", "TLS_PUBLISH", "COMPOSE_PROFILES", "POSTGRES_MAX_CONNECTIONS"}
COMPOSE_OWN |= {f"{role}_CONTAINER_{limit}" for role in ("WEB", "WORKER") for limit in ("CPUS", "MEMORY")}


def _words(text: str) -> set[str]:
    """Everything in backticks."""
    return set(re.findall(r"`([^`\n]+)`", text))


def _documented_settings() -> dict[str, str]:
    """The documented default of each setting; a row may have several settings, separated by middle dots."""
    lines = (DOCS / "reference/settings.md").read_text().splitlines()
    rows = [line.split("|")[1:4] for line in lines if line.startswith("| `")]
    return {
        name.strip(" `"): default.strip(" `")
        for names, _, defaults in rows
        for name, default in zip(names.split("·"), defaults.split("·"), strict=True)
    }


def test_every_setting_is_documented_and_none_is_invented() -> None:
    """The table of settings has exactly the names of the schema."""
    assert set(_documented_settings()) == set(SETTINGS)


BY_MACHINE = "WORKERS", "WORKER_PROCESSES"
FIXED = [name for name, field in SETTINGS.items() if field.load_default and name not in BY_MACHINE]


@pytest.mark.parametrize("name", FIXED)
def test_every_default_is_the_documented_one(name: str) -> None:
    """The page has the real default of each setting, except those whose default depends on the machine."""
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
    """The command line reference has every make target and every command."""
    page = (DOCS / "reference/cli.md").read_text()
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert {f"make {target}" for target in targets} <= _words(page)
    assert set(main.MODULES) <= set(re.findall(r"^### imgproc ([a-z-]+)$", page, re.MULTILINE))


GENERATED: dict[Path, Callable[[], str]] = {
    DOCS / "reference/cli.md": cli_reference.page,
    upload_options.FILE: upload_options.text,
    file_messages.PAGE: file_messages.page,
    metrics_reference.FILE: metrics_reference.page,
    helm_chart.PAGE: helm_chart.page,
    package_map.PAGE: lambda: package_map.page(PACKAGES, package_map.imports(PACKAGES)),
    package_map.PICTURE: lambda: svg(package_map.drawing(package_map.imports(PACKAGES))),
    **{diagrams.FOLDER / f"{name}.svg": partial(svg, drawing) for name, drawing in diagrams.DRAWINGS.items()},
}


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_generated_page_and_picture_is_up_to_date(path: Path) -> None:
    """`make pages` changes nothing."""
    assert path.read_text() == GENERATED[path](), "Run make pages."


def test_no_import_points_up() -> None:
    """The package map has a level for each package, above the levels of all packages that it imports."""
    graph = package_map.imports(PACKAGES)
    rows = package_map.layers(graph)
    level = {name: number for number, row in enumerate(rows) for name in row}
    assert set(level) == set(PACKAGES)
    assert all(level[name] > level[target] for name, targets in graph.items() for target in targets)


def test_every_route_is_documented(tmp_path: Path) -> None:
    """The API reference has every path of the app, apart from the names of parameters."""
    app = create_app(load_settings({"DATA_DIR": str(tmp_path)}))
    routes = {rule.rule for rule in app.url_map.iter_rules() if not rule.rule.startswith("/static")}
    page = re.sub(r"\{\w+\}", "<>", (DOCS / "reference/api.md").read_text())
    assert {route for route in routes if re.sub(r"<\w+>", "<>", route) not in page} == set()


def _calls_of(items: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name and the request of each item of the Postman collection, and of its folders."""
    for item in items:
        if "item" in item:
            assert item["description"], item["name"]
            yield from _calls_of(item["item"])
        else:
            yield item["name"], item["request"]


def test_the_postman_collection_describes_every_call(tmp_path: Path) -> None:
    """Each method and address of the API is in the collection, and everything in it has a description."""
    collection = json.loads((ROOT / "postman/imgproc.postman_collection.json").read_text())
    calls = dict(_calls_of(collection["item"]))
    assert [name for name, call in calls.items() if not call.get("description")] == []
    assert [variable["key"] for variable in collection["variable"] if not variable.get("description")] == []
    made = {f"{call['method']} {_pattern(call['url'])}" for call in calls.values()}
    app = create_app(load_settings({"DATA_DIR": str(tmp_path)}))
    offered = {
        f"{method} {_pattern(rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/") or rule.rule in {"/healthz", "/readyz", "/metrics", "/openapi.json"}
    }
    assert offered - made == set()


def _pattern(address: str) -> str:
    """An address without its host, query and ids."""
    path = address.removeprefix("{{baseUrl}}").partition("?")[0]
    return re.sub(r"<[\w:]+>|\{\{\w+\}\}|[0-9a-f-]{36}", "<>", path)


def _is_sentence(node: ast.expr) -> bool:
    text = isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value
    return text or isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Name) and node.id == "detail")


def _values(node: ast.AST) -> list[ast.expr]:
    """The arguments of a call, or the items of a tuple."""
    if isinstance(node, ast.Call):
        return node.args
    return node.elts if isinstance(node, ast.Tuple) else []


def _codes(tree: ast.AST) -> Iterator[str]:
    """The error codes of a module: given as `code=`, or as the value just before their explanation."""
    for node in ast.walk(tree):
        found = [code for code, text in pairwise(_values(node)) if _is_sentence(text)]
        found += [node.value] if isinstance(node, ast.keyword) and node.arg == "code" else []
        for code in found:
            if isinstance(code, ast.Constant) and re.fullmatch(r"[a-z]+(_[a-z]+)*", str(code.value)):
                yield str(code.value)


def _documented_errors() -> dict[str, list[str]]:
    """The other cells in the row of each code; a row may have several codes."""
    rows = [line.strip(" |").split(" | ") for line in ERRORS.read_text().splitlines() if line.startswith("| `")]
    return {code: cells for names, *cells in rows for code in re.findall(r"`(\w+)`", names)}


def test_every_error_code_is_documented() -> None:
    """The errors page has every code in the sources, the exception tree included."""
    sources = [ast.parse(path.read_text()) for path in (ROOT / "imgproc").rglob("*.py")]
    given = {code for source in sources for code in _codes(source)} | set(CODE_OF.values()) | _codes_of_the_tree()
    assert {"missing_file", "not_found", "no_urls", "timeout", "truncated_image", "worker_lost"} <= given
    metrics = {word.removesuffix("_total") for word in _words((DOCS / "reference/metrics.md").read_text())}
    assert given - set(_documented_errors()) - metrics - FORMATS == set()


def _codes_of_the_tree() -> set[str]:
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, ImgprocError)]
    return {each.code for each in classes}


def test_no_error_code_is_invented() -> None:
    """Each documented code exists in the sources, and has a meaning and a remedy."""
    sources = "".join(path.read_text() for path in (ROOT / "imgproc").rglob("*.py"))
    documented = _documented_errors()
    assert {code for code in documented if f'"{code}"' not in sources and f'f"{code}' not in sources} == set()
    assert {code for code, cells in documented.items() if not all(cells)} == set()


def test_every_table_and_column_is_documented() -> None:
    """The schema in the design page is the schema of the models."""
    sections = re.split(r"^### `(\w+)`$", DESIGN.read_text(), flags=re.MULTILINE)
    documented = {
        name: re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)
        for name, text in zip(sections[1::2], sections[2::2], strict=True)
    }
    assert documented == {table.name: table.columns.keys() for table in Base.metadata.sorted_tables}


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        pytest.param("request", RequestStatus, id="request"),
        pytest.param("product", ProductStatus, id="product"),
        pytest.param("delivery", DeliveryStatus, id="delivery"),
    ],
)
def test_every_state_is_in_its_diagram(name: str, statuses: type[Enum]) -> None:
    """The diagram and the table of transitions have exactly the statuses of the database."""
    values = {status.value for status in statuses}
    assert {box.title for box in diagrams.DRAWINGS[f"{name}-states"].boxes} == values
    section = DESIGN.read_text().partition(f"### {name.title()}\n")[2].partition("\n#")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| ")]
    assert {state for row in rows for cell in row for state in re.findall(r"`(\w+)`", cell)} == values


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """Files, pictures and headings that a page links to exist."""
    links = [link for link in re.findall(r"\]\(([^)\s]+)[^)]*\)", page.read_text()) if "://" not in link]
    lost = []
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", sorted({*PAGES} - {CHANGELOG}), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    """A path in backticks, such as `tests/unit/test_docs.py`, exists; only the changelog may name old ones."""
    named = {word for word in _words(page.read_text()) if re.fullmatch(NAMED_PATH, word)}
    assert {word for word in named if not (ROOT / word).exists()} == set()


def test_every_page_that_the_code_names_exists() -> None:
    """Docstrings and comments refer only to pages that exist."""
    sources = [*(ROOT / "imgproc").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    named = {page for source in sources for page in re.findall(r"docs/[\w/-]+\.md", source.read_text())}
    assert {page for page in named if not (ROOT / page).exists()} == set()
    assert named


RECORDS = sorted(path for path in (DOCS / "adr").glob("*.md") if path.name != "index.md")


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_every_decision_record_has_the_same_shape(record: Path) -> None:
    """Each has number, title, status, date, context, decision and consequences, and a row in the index."""
    shape = r"# (\d+)\. (.+)\n\n- Status: (.+)\n- Date: (\d{4}-\d\d-\d\d)\n\n## Context\n"
    found = re.match(shape, record.read_text())
    assert found is not None
    number, title, status, date = found.groups()
    assert int(number) == int(record.name[:4])
    assert re.findall(r"^## (.+)$", record.read_text(), re.MULTILINE) == ["Context", "Decision", "Consequences"]
    row = f"| {number} | [{title}]({record.name}) | {status} | {date} |"
    assert row in (DOCS / "adr/index.md").read_text().splitlines()


@pytest.mark.exhaustive
def test_as_many_security_cases_run_as_the_page_says() -> None:
    """pytest counts at least as many cases in each file as the table says."""
    documented = dict(re.findall(r"`(tests/\S+\.py)` \| (\d+) \|", SECURITY.read_text()))
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *documented]
    listed = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    counted = dict(re.findall(r"^(\S+\.py): (\d+)$", listed, re.MULTILINE))
    assert {file for file, cases in documented.items() if int(counted[file]) < int(cases)} == set()
    assert len(documented) > 10


def test_the_readme_can_be_read_in_one_go() -> None:
    """The README has at most 150 lines."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
