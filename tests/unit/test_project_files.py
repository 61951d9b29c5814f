"""The files around the code: workflows are valid and run only existing targets; the licence is the same everywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ISSUE_FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *GITHUB.rglob("*.md"), *ISSUE_FORMS])
PACKAGES = [path for folder in (ROOT, ROOT / "benchmarks/sharp") for path in sorted(folder.glob("package*.json"))]

PYPROJECT = (ROOT / "pyproject.toml").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def workflow(path: Path) -> dict[str, Any]:
    """A workflow as GitHub reads it; YAML 1.1 takes its key `on` for a boolean."""
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


def steps(path: Path) -> list[dict[str, Any]]:
    """Every step of every job."""
    return [step for job in workflow(path)["jobs"].values() for step in job["steps"]]


def commands(path: Path) -> list[str]:
    """Every shell command of a workflow."""
    return [line for step in steps(path) for line in step.get("run", "").splitlines()]


def shell_of(page: str) -> Iterator[str]:
    """The code of a page, line by line: fenced shell blocks without comments, and words in backticks."""
    fence = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
    for language, block in fence.findall(page):
        if language in {"", "sh", "bash", "console"}:
            yield from (line.partition("#")[0] for line in block.splitlines())
    yield from re.findall(r"`([^`\n]+)`", fence.sub("", page))


def make_targets(lines: Iterator[str] | list[str]) -> set[str]:
    """The targets of all `make` commands among the lines."""
    return {target for line in lines for target in re.findall(r"\bmake ([a-z][a-z-]*)", line)}


def version_key(version: str) -> tuple[int, ...]:
    """A sort key that orders 3.9 before 3.10."""
    return tuple(int(part) for part in version.split("."))


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("schema", "files"),
    [
        pytest.param("vendor.github-workflows", WORKFLOWS, id="workflows"),
        pytest.param("custom.github-workflows-require-timeout", WORKFLOWS, id="every job has a time limit"),
        pytest.param("vendor.dependabot", [GITHUB / "dependabot.yml"], id="dependabot"),
        pytest.param("vendor.github-issue-forms", ISSUE_FORMS, id="issue forms"),
        pytest.param("vendor.github-issue-config", [GITHUB / "ISSUE_TEMPLATE/config.yml"], id="issue templates"),
    ],
)
def test_files_for_github_are_valid(schema: str, files: list[Path]) -> None:
    """Each file follows the published schema of its kind."""
    # Every process that collects this file would wait for the import, and each case for one of its own.
    from check_jsonschema import main  # noqa: PLC0415

    assert files
    checked = CliRunner().invoke(main, ["--builtin-schema", schema, *map(str, files)])
    assert checked.exit_code == 0, checked.output


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_run_nothing_that_only_ci_has(path: Path) -> None:
    """Contributors can run every command: each is a make target, or builds the image with compose."""
    allowed = re.compile(r"make [a-z][a-z-]*( ARGS=(\S+|\"[^\"]+\"))?|docker compose build [a-z]+")
    assert [line for line in commands(path) if not allowed.fullmatch(line)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_make_targets_of_workflows_exist(path: Path) -> None:
    """The Makefile has every target that a workflow runs."""
    assert make_targets(commands(path)) - TARGETS == set()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_test_folders_of_workflows_exist(path: Path) -> None:
    """Every test folder that a workflow names exists; otherwise only CI would notice a moved folder."""
    folders = {folder for line in commands(path) for folder in re.findall(r"\btests/\w+", line)}
    assert {folder for folder in folders if not (ROOT / folder).is_dir()} == set()


def test_ci_runs_every_test_folder() -> None:
    """CI also runs new test folders."""
    run = {folder for line in commands(GITHUB / "workflows/ci.yml") for folder in re.findall(r"\btests/\w+", line)}
    assert {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("tests/*/test_*.py")} == run


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_of_pages_exist(path: Path) -> None:
    """The Makefile has every target that a page or form names."""
    assert make_targets(shell_of(path.read_text())) - TARGETS == set()


def test_the_dev_container_runs_a_make_target() -> None:
    """The dev container is set up by the same target as a contributor's machine."""
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    [target] = make_targets([container["postCreateCommand"]])
    assert target in TARGETS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    """A tag can be moved, a commit cannot; a comment names the version for Dependabot and readers."""
    uses = re.findall(r"uses: (.+)", path.read_text())
    assert uses
    assert [use for use in uses if not re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)] == []


def test_one_action_has_one_version() -> None:
    """All workflows use the same version of an action."""
    uses = {use for path in WORKFLOWS for use in re.findall(r"uses: (.+)", path.read_text())}
    assert len({use.partition("@")[0] for use in uses}) == len(uses)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_only_read(path: Path) -> None:
    """Tokens may only read the code; CodeQL may also write its findings."""
    assert workflow(path)["permissions"] == {"contents": "read"}
    granted = [job["permissions"] for job in workflow(path)["jobs"].values() if "permissions" in job]
    writes = {scope for permissions in granted for scope, access in permissions.items() if access != "read"}
    assert writes <= ({"security-events"} if path.name == "codeql.yml" else set())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_checkouts_keep_no_token(path: Path) -> None:
    """Code of a pull request must not find a token in `.git/config`."""
    checkouts = [step for step in steps(path) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_ci_tests_every_python_we_support() -> None:
    """CI tests every version from the lowest in pyproject on, and every version that pyproject names."""
    ci = (GITHUB / "workflows/ci.yml").read_text()
    tested = workflow(GITHUB / "workflows/ci.yml")["jobs"]["unit"]["strategy"]["matrix"]["python"]
    [floor] = re.findall(r'^requires-python = ">=(3\.\d+)"', PYPROJECT, re.MULTILINE)
    assert tested == [f"3.{minor}" for minor in range(version_key(floor)[1], version_key(tested[-1])[1] + 1)]
    assert set(re.findall(r'"(3\.\d+)"', ci)) == set(tested)
    assert set(re.findall(r"Programming Language :: Python :: (3\.\d+)", PYPROJECT)) <= set(tested)


@pytest.mark.parametrize("workflow_file", WORKFLOWS, ids=lambda path: path.name)
def test_single_jobs_use_the_python_of_the_image(workflow_file: Path) -> None:
    """Checks that run once use the version that production runs."""
    [image] = re.findall(r"^ARG PYTHON_IMAGE=python:(3\.\d+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    used = {step["with"]["python-version"] for step in steps(workflow_file) if "setup-python" in step.get("uses", "")}
    assert used <= {image, "${{ matrix.python }}"}


def test_the_dev_container_has_the_python_of_the_image() -> None:
    """Contributors use the version that production runs."""
    [image] = re.findall(r"^ARG PYTHON_IMAGE=python:(3\.\d+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    assert container["image"].partition(":")[2].startswith(f"{image}-")


def test_the_licence_is_the_apache_licence() -> None:
    """The file has the whole text and the copyright line."""
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert re.search(r"^   Copyright 20\d\d The imgproc authors$", text, re.MULTILINE)
    assert "[yyyy]" not in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_every_package_names_the_licence() -> None:
    """The npm packages, their locks and pyproject name the Apache licence."""
    named = {str(path.relative_to(ROOT)): json.loads(path.read_text()) for path in PACKAGES}
    licences = {name: (package.get("packages", {}).get("") or package)["license"] for name, package in named.items()}
    assert len(licences) == 4
    assert set(licences.values()) | set(re.findall(r'^license = "(.+)"', PYPROJECT, re.MULTILINE)) == {"Apache-2.0"}


def test_the_readme_ends_with_the_licence() -> None:
    """The last line of the README links to the licence."""
    assert "[Apache License 2.0](LICENSE)" in (ROOT / "README.md").read_text().splitlines()[-1]


def test_pre_commit_runs_the_tools_of_make_lint() -> None:
    """The hooks run the tools of `make lint` from the same environment."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    entries = [hook["entry"] for repo in config["repos"] for hook in repo["hooks"] if hook["language"] == "system"]
    tools = {entry.split()[0].removeprefix(".venv/bin/") for entry in entries}
    assert tools == {"ruff", "mypy"}
    assert all(f"$(BIN)/{tool}" in (ROOT / "Makefile").read_text() for tool in tools)


def test_every_code_owner_is_a_user_or_a_team() -> None:
    """Each rule has a pattern and at least one owner."""
    rules = [line.split() for line in (GITHUB / "CODEOWNERS").read_text().splitlines() if line and line[0] != "#"]
    assert rules
    assert all(len(rule) > 1 and all(owner.startswith("@") for owner in rule[1:]) for rule in rules)


def test_tests_that_are_spread_by_name_exist() -> None:
    """A renamed test would run with the rest of its file in one process, and the others would wait for it."""
    named = re.findall(r'"(tests/[\w/.]+)(?:::(\w+))?"', (ROOT / "tests/conftest.py").read_text())
    assert [file for file, _ in named if not (ROOT / file).exists()] == []
    assert [test for file, test in named if test and f"def {test}(" not in (ROOT / file).read_text()] == []
    assert sum(bool(test) for _, test in named) >= 5
