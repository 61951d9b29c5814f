"""Keep how each file is read and written: what the caller says of it, and what the reader found

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("processing_requests", sa.Column("file_options", sa.JSON()))
    op.add_column("processing_requests", sa.Column("reading", sa.JSON()))


def downgrade():
    op.drop_column("processing_requests", "reading")
    op.drop_column("processing_requests", "file_options")
