"""Keep how long each stage of an image took, and how much its rendition looks like its source

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("product_images", sa.Column("likeness", sa.REAL()))
    op.add_column("product_images", sa.Column("stages_ms", sa.JSON()))


def downgrade():
    op.drop_column("product_images", "stages_ms")
    op.drop_column("product_images", "likeness")
