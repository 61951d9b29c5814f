"""Find images of the same URL

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KNOWN = sa.text("etag IS NOT NULL")
COLUMNS = {
    "request_id": sa.Uuid(as_uuid=False),
    "url_hash": sa.BigInteger(),
    "etag": sa.String(255),
    "last_modified": sa.String(64),
}


def upgrade():
    for name, kind in COLUMNS.items():
        op.add_column("product_images", sa.Column(name, kind, nullable=True))
    op.create_index("ix_product_images_twins", "product_images", ["url_hash", "request_id", "status", "id"])
    op.create_index(
        "ix_product_images_earlier", "product_images", ["url_hash", "id"], sqlite_where=KNOWN, postgresql_where=KNOWN
    )


def downgrade():
    op.drop_index("ix_product_images_earlier", "product_images")
    op.drop_index("ix_product_images_twins", "product_images")
    for name in reversed(COLUMNS):
        op.drop_column("product_images", name)
