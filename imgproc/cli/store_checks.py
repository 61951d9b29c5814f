"""What `imgproc check` looks at in the object store: what we may do there, and what strangers may."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import requests

from imgproc.cli.findings import Finding, note, ok, wrong
from imgproc.cli.redis_checks import START, host_of
from imgproc.core.config import Settings
from imgproc.core.errors import InfrastructureError
from imgproc.core.hosts import bracketed, is_loopback
from imgproc.journey.services import services
from imgproc.pipeline.storage.buckets import PROBE, hides_versions, probe
from imgproc.pipeline.storage.store import Store

SECONDS = 10.0  # for an answer
MISSING = "imgproc init makes buckets that are missing; or check S3_ORIGINALS_BUCKET and S3_OUTPUTS_BUCKET"
REMEDIES = {  # by what a store answers
    "InvalidAccessKeyId": "there is no such S3 user: check S3_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret is wrong: check S3_SECRET_ACCESS_KEY",
    "RequestTimeTooSkewed": "the clock of this machine differs from the store's: let NTP set both",
    "ExpiredToken": "the session token has expired: give another, or use credentials that last",
    "NoSuchBucket": MISSING,
    "404": MISSING,
    "AccessDenied": "the user lacks a right: give it those of minio/worker-policy.json",
    "403": "the user or its secret is wrong, or it lacks a right of minio/worker-policy.json",
    "400": "S3_REGION is wrong, or the store takes no such requests: check S3_ENDPOINT_URL",
    "301": "the buckets are in another region: check S3_REGION and S3_ENDPOINT_URL",
    "PermanentRedirect": "the buckets are in another region: check S3_REGION and S3_ENDPOINT_URL",
    "AuthorizationHeaderMalformed": "the buckets are in another region: check S3_REGION",
    "XMinioStorageFull": "its disk is full: free it",
    "507": "its disk is full: free it",
}


def check(settings: Settings) -> Iterator[Finding]:
    """Find what is wrong with the buckets and with the access of strangers. A store that is away is one finding."""
    if settings.s3_endpoint_url is None:
        where = f"no stack runs in {settings.data_dir}"
        text = f"No object store is configured, and {where}: {START}, or set S3_ENDPOINT_URL."
        yield wrong("buckets", text=text)
        return
    store, place = services().store, host_of(settings.s3_endpoint_url)
    try:
        with probe(store) as key:
            kept = [bucket for bucket in store.buckets if hides_versions(store, bucket)]
            shown, access = _get(store.public_url(key)), [*_access(settings, store, key)]
    except InfrastructureError as error:
        yield wrong("buckets", text=_refusal(error))
        return
    yield ok("buckets", text=f"{' and '.join(store.buckets)} at {place} can be read and written.")
    if kept:
        text = f"We may not list versions in {' and '.join(kept)}. If versions are kept, what is deleted stays readable"
        yield note("buckets", text=f"{text}: give the user the rights of minio/worker-policy.json.")
    public = settings.s3_public_url
    if shown != PROBE:
        why = shown if isinstance(shown, str) else "something else is there"
        remedy = "run imgproc init, or check S3_PUBLIC_URL and what stands in front of the bucket"
        yield wrong("access", text=f"Strangers cannot read outputs at {public} ({why}): {remedy}.")
    elif not access:
        yield ok("access", text=f"Strangers can read outputs at {public}, and no originals.")
    yield from access


def _access(settings: Settings, store: Store, key: str) -> Iterator[Finding]:
    """What strangers can do and must not: read originals, list outputs, whose CSVs have secret addresses."""
    endpoint = str(settings.s3_endpoint_url).rstrip("/")
    if _get(f"{endpoint}/{settings.s3_originals_bucket}/{store.full_key(key)}") == PROBE:
        text = f"Everyone can read the bucket {settings.s3_originals_bucket}: make it private."
        yield wrong("access", text=text)
    for url in dict.fromkeys((f"{endpoint}/{settings.s3_outputs_bucket}", settings.s3_public_url.rstrip("/"))):
        listed = _get(f"{url}?list-type=2&max-keys=1")
        if isinstance(listed, bytes) and b"<ListBucketResult" in listed:
            text = f"Everyone can list the outputs at {url}, and so find all CSVs: forbid s3:ListBucket to strangers."
            yield wrong("access", text=text)
            return


def _get(url: str) -> bytes | str:
    """What our own store or proxy serves at a URL without credentials; as text, why it serves nothing."""
    with requests.Session() as session:
        session.trust_env = not is_loopback(bracketed(urlsplit(url).hostname or ""))
        try:
            response = session.get(url, timeout=SECONDS, stream=True)
            return next(response.iter_content(len(PROBE) + 200), b"") if response.ok else f"HTTP {response.status_code}"
        except requests.RequestException as error:
            return type(error).__name__


def _refusal(error: InfrastructureError) -> str:
    """What the store answered, with the remedy for it."""
    if remedy := REMEDIES.get(getattr(error, "answer", "")):
        return f"{str(error).partition(';')[0]}: {remedy}."
    text = str(error).rstrip()
    return text if text.endswith(".") else f"{text}."
