"""The documentation is tested: what exists is described, and what is linked exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imgproc import create_app
from imgproc.config import SettingsSchema, load_settings
from imgproc.extensions import Base

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]


def _words(page: str) -> set[str]:
    """Everything a page puts in backticks."""
    return set(re.findall(r"`([^`\n]+)`", (DOCS / page).read_text()))


def test_every_setting_is_documented_and_none_is_invented() -> None:
    """The table of settings holds exactly the schema's names."""
    table = (DOCS / "configuration.md").read_text().partition("## Commands")[0]
    named = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", line.split("|")[1])
    }
    assert named == set(SettingsSchema().fields)


def test_every_route_is_documented(tmp_path: Path) -> None:
    """Each address of the app, with its parameters left out, stands in the API's page."""
    app = create_app(load_settings({"DATA_DIR": str(tmp_path)}))
    routes = {rule.rule for rule in app.url_map.iter_rules() if not rule.rule.startswith("/static")}
    page = re.sub(r"\{\w+\}", "<>", (DOCS / "api.md").read_text())
    missing = {route for route in routes if re.sub(r"<\w+>", "<>", route) not in page}
    assert missing == set()


def test_every_table_and_column_is_documented() -> None:
    """The schema in the low-level design is the models' schema."""
    sections = re.split(r"^### `(\w+)`$", (DOCS / "lld.md").read_text(), flags=re.MULTILINE)
    documented = {
        name: re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)
        for name, text in zip(sections[1::2], sections[2::2], strict=True)
    }
    assert documented == {table.name: table.columns.keys() for table in Base.metadata.sorted_tables}


def test_every_error_code_is_documented() -> None:
    """Whatever code the sources raise can be looked up."""
    sources = [path.read_text() for path in (ROOT / "imgproc").rglob("*.py")]
    raised = {code for source in sources for code in re.findall(r'\bcode="([a-z_]+)"', source)}
    page = (DOCS / "api.md").read_text()
    assert {code for code in raised if code not in page} == set()


def test_every_make_target_is_documented() -> None:
    """A target that is not described is not there."""
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert {f"make {target}" for target in targets} <= _words("configuration.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """Files and pictures that a page links to exist."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_the_readme_can_be_read_in_one_go() -> None:
    """At most 150 lines."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_environment_of_compose_is_known() -> None:
    """Every variable that compose gives our processes is one of our settings."""
    compose = (ROOT / "docker-compose.yml").read_text()
    block = re.search(r"environment: &app-environment\n((?:    .*\n)+)", compose)
    assert block
    given = set(re.findall(r"^    ([A-Z0-9_]+):", block[1], flags=re.MULTILINE))
    assert given <= set(SettingsSchema().fields)
    assert {"DATABASE_URL", "REDIS_URL", "S3_ENDPOINT_URL", "WEBHOOK_SECRET"} <= given
