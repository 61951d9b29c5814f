"""Index requests by status, and products in flight

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

IN_FLIGHT = sa.text("status IN ('queued', 'processing')")


def upgrade():
    op.create_index(
        "ix_processing_requests_newest_of_status",
        "processing_requests",
        ["owner", "status", "created_at", "id"],
    )
    op.create_index(
        "ix_products_in_flight",
        "products",
        ["request_id"],
        sqlite_where=IN_FLIGHT,
        postgresql_where=IN_FLIGHT,
    )


def downgrade():
    op.drop_index("ix_products_in_flight", "products")
    op.drop_index("ix_processing_requests_newest_of_status", "processing_requests")
