"""List requests of a status

Revision ID: 0006
Revises: 0003
"""

from alembic import op

revision = "0006"
down_revision = "0003"
branch_labels = None
depends_on = None

INDEX = "ix_processing_requests_newest_of_status"


def upgrade():
    op.create_index(INDEX, "processing_requests", ["owner", "status", "created_at", "id"])


def downgrade():
    op.drop_index(INDEX, "processing_requests")
