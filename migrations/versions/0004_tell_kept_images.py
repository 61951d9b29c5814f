"""tell kept images

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-25 05:40:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0004'
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('product_images', sa.Column('output_kept', sa.Boolean(), nullable=True))


def downgrade():
    op.drop_column('product_images', 'output_kept')
