"""What the operator wants of each object: where its key starts, how it is cached, stored and encrypted."""

from __future__ import annotations

from dataclasses import dataclass

# A retry overwrites a rendition under its key and a DELETE removes it, so caches may keep it for an hour.
IMAGE_CACHE = "public, max-age=3600"
KMS = "aws:kms"


@dataclass(frozen=True)
class ObjectOptions:
    """None leaves the choice to the bucket. `prefix` is empty or ends with a slash."""

    prefix: str = ""
    image_cache_control: str = IMAGE_CACHE
    image_storage_class: str | None = None
    encryption: str | None = None
    kms_key_id: str | None = None

    @property
    def encryption_arguments(self) -> dict[str, str]:
        """The arguments of boto3's puts and copies that encrypt an object."""
        named = {"ServerSideEncryption": self.encryption, "SSEKMSKeyId": self.kms_key_id}
        return {name: value for name, value in named.items() if value}

    @property
    def encryption_config(self) -> dict[str, str]:
        """The same as the configuration of obstore."""
        named = {"server_side_encryption": self.encryption, "sse_kms_key_id": self.kms_key_id}
        return {name: value for name, value in named.items() if value}
