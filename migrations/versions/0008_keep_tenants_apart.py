"""Keep tenants apart: CSVs under keys that cannot be guessed, and a webhook secret for each API key

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
COLUMNS = {
    "csv_token": sa.Column("csv_token", sa.String(32), nullable=True),
    "csv_private": sa.Column("csv_private", sa.Boolean(), nullable=False, server_default=sa.false()),
    "api_url": sa.Column("api_url", sa.Text(), nullable=True),
}


def upgrade():
    for column in COLUMNS.values():
        op.add_column("processing_requests", column._copy())
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
    for name in reversed(COLUMNS):
        op.drop_column("processing_requests", name)
