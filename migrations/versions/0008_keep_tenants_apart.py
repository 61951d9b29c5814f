"""Separate tenants: random keys of CSVs, private CSVs, and webhook secrets of API keys

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SENDING = sa.text("status = 'sending'")


def upgrade():
    op.add_column("processing_requests", sa.Column("csv_token", sa.String(32), nullable=True))
    op.add_column(
        "processing_requests", sa.Column("csv_private", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("processing_requests", sa.Column("api_url", sa.Text(), nullable=True))
    op.add_column("api_keys", sa.Column("webhook_secrets", sa.Text(), nullable=True))
    op.create_index(
        "ix_webhook_deliveries_sending",
        "webhook_deliveries",
        ["lease_until"],
        sqlite_where=SENDING,
        postgresql_where=SENDING,
    )


def downgrade():
    op.drop_index("ix_webhook_deliveries_sending", "webhook_deliveries")
    op.drop_column("api_keys", "webhook_secrets")
    for name in ("api_url", "csv_private", "csv_token"):
        op.drop_column("processing_requests", name)
