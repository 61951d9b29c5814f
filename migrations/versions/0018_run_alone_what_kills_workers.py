"""Mark the work whose worker died, so that it runs alone

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TABLES = "processing_requests", "products"


def upgrade():
    for table in TABLES:
        op.add_column(table, sa.Column("alone", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade():
    for table in TABLES:
        op.drop_column(table, "alone")
