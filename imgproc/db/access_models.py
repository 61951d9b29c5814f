"""The tables of API keys, sessions, share links and the key that signs links. Keys and tokens are stored as hashes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from imgproc.db.dialects import UtcDateTime, db_now
from imgproc.db.engine import Base


class ApiKey(Base):
    """A caller's key, stored as the SHA-256 of its secret. After a rotation the previous secret may work for a while.

    `webhook_secrets` sign the holder's webhooks: newest first, separated by a space. Null means the configured ones.
    """

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(16))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=db_now())
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    webhook_secrets: Mapped[str | None] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(String(8), default="write", server_default="write")
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    previous_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    previous_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Session(Base):
    """A person who signed in with an API key. It ends with the key."""

    __tablename__ = "sessions"
    __table_args__ = (Index("ix_sessions_key", "key_id"), Index("ix_sessions_expiry", "expires_at"))

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("api_keys.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=db_now())
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ShareLink(Base):
    """A link that shows one request to whoever has it, until it expires or is revoked."""

    __tablename__ = "share_links"
    __table_args__ = (Index("ix_share_links_request", "request_id", "created_at"),)

    id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True)
    request_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("processing_requests.id", ondelete="CASCADE")
    )
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=db_now())
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SigningKey(Base):
    """The one secret that signs share links. The migration makes it, so that all processes have the same."""

    __tablename__ = "signing_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    secret: Mapped[str] = mapped_column(String(64))
