"""Mark removed requests, which are deleted in steps

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

REMOVED = sa.text("removed_at IS NOT NULL")


def upgrade():
    op.add_column("processing_requests", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_processing_requests_removed",
        "processing_requests",
        ["lease_until"],
        sqlite_where=REMOVED,
        postgresql_where=REMOVED,
    )
    op.create_index("ix_processing_requests_finished", "processing_requests", ["finished_at"])


def downgrade():
    op.drop_index("ix_processing_requests_finished", "processing_requests")
    op.drop_index("ix_processing_requests_removed", "processing_requests")
    op.drop_column("processing_requests", "removed_at")
