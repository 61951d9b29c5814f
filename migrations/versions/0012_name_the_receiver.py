"""Name the receiver of each webhook, its host and port, of which so many are sent at a time

Revision ID: 0012
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from imgproc.core.hosts import receiver_of

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

CHUNK = 1000
DELIVERIES = sa.table("webhook_deliveries", sa.column("id", sa.Uuid()), sa.column("url"), sa.column("receiver"))


def upgrade():
    op.add_column("webhook_deliveries", sa.Column("receiver", sa.String(300)))
    connection = op.get_bind()
    unnamed = sa.select(DELIVERIES.c.id, DELIVERIES.c.url).where(DELIVERIES.c.receiver.is_(None)).limit(CHUNK)
    name = (
        sa.update(DELIVERIES).where(DELIVERIES.c.id == sa.bindparam("which")).values(receiver=sa.bindparam("receiver"))
    )
    while rows := connection.execute(unnamed).all():
        connection.execute(name, [{"which": row.id, "receiver": receiver_of(row.url)} for row in rows])


def downgrade():
    op.drop_column("webhook_deliveries", "receiver")
