"""Record which renditions keep the source's pixels

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("product_images", sa.Column("output_kept", sa.Boolean(), nullable=True))


def downgrade():
    op.drop_column("product_images", "output_kept")
