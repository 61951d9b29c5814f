"""The tables of sessions and share links. Both keep the hash of a token, never the token."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from imgproc.db.dialects import UtcDateTime, db_now
from imgproc.db.engine import Base


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
