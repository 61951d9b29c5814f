"""Keep the caller's reference, and the headers and the answer of every webhook attempt

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("processing_requests", sa.Column("reference", sa.Text(), nullable=True))
    op.add_column("delivery_attempts", sa.Column("request_headers", sa.JSON(), nullable=True))
    op.add_column("delivery_attempts", sa.Column("response_headers", sa.JSON(), nullable=True))
    op.add_column("delivery_attempts", sa.Column("response_body", sa.Text(), nullable=True))


def downgrade():
    for column in ("response_body", "response_headers", "request_headers"):
        op.drop_column("delivery_attempts", column)
    op.drop_column("processing_requests", "reference")
