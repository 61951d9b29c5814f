"""Runs the migrations on the app's database: `flask --app wsgi db upgrade`."""

from alembic import context
from flask import current_app

from imgproc.db.dialects import UtcDateTime
from imgproc.db.timeouts import MIGRATION, allow

migrate = current_app.extensions["migrate"]
database = migrate.db


def render_item(kind, item, _context):
    """Write plain SQLAlchemy types, so that migrations do not depend on the code of the models."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


with allow(MIGRATION), database.engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=database.metadatas[None],
        render_item=render_item,
        **migrate.configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()
