"""Keep the notes of each image: what its rendition does not show, or which option was not applied

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("product_images", sa.Column("notes", sa.JSON()))


def downgrade():
    op.drop_column("product_images", "notes")
