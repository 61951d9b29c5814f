"""Store the trace of a request, which the upload names or begins

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("processing_requests", sa.Column("traceparent", sa.String(length=55)))


def downgrade():
    op.drop_column("processing_requests", "traceparent")
