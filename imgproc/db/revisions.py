"""Which revision the tables have, and which one this version needs."""

from __future__ import annotations

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from imgproc.db import migrations
from imgproc.db.engine import db


def newest() -> str:
    """The revision that this version needs."""
    return ScriptDirectory(str(migrations.FOLDER)).get_current_head() or ""


def known() -> set[str]:
    """Every revision that this version knows."""
    return {each.revision for each in ScriptDirectory(str(migrations.FOLDER)).walk_revisions()}


def current() -> str | None:
    """The revision of the tables; None where there are none.

    Raises:
        sqlalchemy.exc.DBAPIError: the database cannot be reached.
    """
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
