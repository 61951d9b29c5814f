"""Store the bytes of uploaded files, for the quota of open files

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("processing_requests", sa.Column("input_bytes", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade():
    op.drop_column("processing_requests", "input_bytes")
