"""The command line: `python -m tests.chaos --images 10000 --faults 1000 --seed 7`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos import network
from tests.chaos.run import Options, Report, run

SHOWN = 20  # defects printed in full

console = Console(highlight=False)


def main() -> int:
    """Run the suite as the options say; the exit code is 0 only if the checker finds no defect."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--pace", type=float, default=0.4, help="seconds between two faults")
    parser.add_argument("--report", type=Path, help="where to write the report as JSON")
    parser.add_argument("--folder", type=Path, help="keep logs and objects in this empty folder")
    given = parser.parse_args()
    if given.database == "postgresql" and not network.is_inside():
        if reason := network.missing():
            console.print(f"{reason} This run leaves them out.")
        else:
            network.enter_namespace("tests.chaos", sys.argv[1:])
    options = Options(given.seed, given.images, given.faults, given.database, given.pace)
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report = run(options, folder, tell=console.print)
    if given.report:
        report.write(given.report)
    show(report)
    return 1 if report.defects else 0


def show(report: Report) -> None:
    """Print the table of figures, then the defects."""
    table = Table("figure", "value", title=f"seed {report.options.seed}, {report.options.database}")
    for kind, count in sorted(report.faults.items()):
        table.add_row(kind.replace("_", " "), str(count))
    table.add_section()
    table.add_row("faults", f"{sum(report.faults.values())} ({sum(report.missed_faults.values())} found no target)")
    for name, figure in report.figures.items():
        table.add_row(name.replace("_", " "), f"{figure:,.1f}" if isinstance(figure, float) else f"{figure:,}")
    for name, ended in report.deaths.items():
        table.add_row(f"{name} ended by itself", str(ended))
    console.print(table)
    for defect in report.defects[:SHOWN]:
        console.print(f"[red]{defect.kind}[/] {defect.where}: {defect.detail}", soft_wrap=True)
    kinds = Counter(defect.kind for defect in report.defects)
    console.print(
        f"[red]defects: {dict(kinds)}[/]" if kinds else "[green]nothing is lost, duplicated, missing or wrong[/]"
    )


if __name__ == "__main__":
    sys.exit(main())
