"""Let products wait for a host, and count the refusals of an image

Revision ID: 0011
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

WAITING = sa.text("waiting_host IS NOT NULL")
INDEXES = {
    "ix_products_waiting": ["request_id", "not_before"],
    "ix_products_waiting_due": ["status", "not_before"],
    "ix_products_waiting_of_host": ["waiting_host", "status", "not_before"],
}
DUPLICATES = ["url_hash", "request_id", "status", "id"]


def upgrade():
    op.add_column("products", sa.Column("waiting_host", sa.String(300), nullable=True))
    op.add_column("products", sa.Column("waiting_reason", sa.String(16), nullable=True))
    op.add_column("product_images", sa.Column("refusals", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("product_images", sa.Column("refused_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("product_images", sa.Column("host_answered", sa.Boolean(), nullable=True))
    for name, columns in INDEXES.items():
        op.create_index(name, "products", columns, sqlite_where=WAITING, postgresql_where=WAITING)
    _rename("ix_product_images_twins", "ix_product_images_duplicates")


def downgrade():
    _rename("ix_product_images_duplicates", "ix_product_images_twins")
    for name in reversed(INDEXES):
        op.drop_index(name, "products")
    for name in ("host_answered", "refused_since", "refusals"):
        op.drop_column("product_images", name)
    for name in ("waiting_reason", "waiting_host"):
        op.drop_column("products", name)


def _rename(old, new):
    """PostgreSQL renames an index at once; SQLite has to build it again."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(sa.text(f"ALTER INDEX {old} RENAME TO {new}"))
    else:
        op.drop_index(old, "product_images")
        op.create_index(new, "product_images", DUPLICATES)
