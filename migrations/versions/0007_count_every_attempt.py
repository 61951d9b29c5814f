"""Count the attempts of plans, finalizations, removals and deliveries

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade():
    for table in ("processing_requests", "webhook_deliveries"):
        op.add_column(table, sa.Column("attempt", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("processing_requests", sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("delivery_attempts") as batch:
        batch.alter_column("duration_ms", existing_type=sa.Integer(), nullable=True)


def downgrade():
    op.execute(sa.text("UPDATE delivery_attempts SET duration_ms = 0 WHERE duration_ms IS NULL"))
    with op.batch_alter_table("delivery_attempts") as batch:
        batch.alter_column("duration_ms", existing_type=sa.Integer(), nullable=False)
    op.drop_column("processing_requests", "not_before")
    for table in ("webhook_deliveries", "processing_requests"):
        op.drop_column(table, "attempt")
