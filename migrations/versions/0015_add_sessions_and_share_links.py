"""Give API keys scopes, an expiry and rotation; add sessions and share links

Revision ID: 0015
Revises: 0014
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ID = sa.Uuid(as_uuid=False)


def upgrade():
    op.add_column("api_keys", sa.Column("scope", sa.String(length=8), server_default="write", nullable=False))
    op.add_column("api_keys", sa.Column("expires_at", TIME))
    op.add_column("api_keys", sa.Column("previous_hash", sa.String(length=64)))
    op.add_column("api_keys", sa.Column("previous_until", TIME))
    with op.batch_alter_table("api_keys") as table:
        table.create_unique_constraint(op.f("uq_api_keys_previous_hash"), ["previous_hash"])
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("key_id", ID, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_keys.id"], name=op.f("fk_sessions_key_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_key", "sessions", ["key_id"])
    op.create_index("ix_sessions_expiry", "sessions", ["expires_at"])
    op.create_table(
        "share_links",
        sa.Column("id", ID, nullable=False),
        sa.Column("request_id", ID, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["processing_requests.id"],
            name=op.f("fk_share_links_request_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_share_links_token_hash")),
    )
    op.create_index("ix_share_links_request", "share_links", ["request_id", "created_at"])
    keys = op.create_table(
        "signing_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
    )
    op.bulk_insert(keys, [{"id": 1, "secret": secrets.token_urlsafe(32)}])


def downgrade():
    for table in ("signing_keys", "share_links", "sessions"):
        op.drop_table(table)
    with op.batch_alter_table("api_keys") as table:
        table.drop_constraint(op.f("uq_api_keys_previous_hash"), type_="unique")
        for column in ("previous_until", "previous_hash", "expires_at", "scope"):
            table.drop_column(column)
