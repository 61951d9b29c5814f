"""What the bucket policies allow and refuse, by the rules of AWS's policy evaluation.

The evaluator is our own, because moto's ignores principals given as a list. An explicit Deny wins; otherwise an Allow
must match action, resource and principal; `*` and `?` are wildcards. The evaluator knows Effect, Principal, Action and
Resource, and rejects statements with other elements.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

MINIO = Path(__file__).parents[2] / "minio"
ELEMENTS = {"Sid", "Effect", "Principal", "Action", "Resource"}
EVERYONE = {"AWS": ["*"]}


def _matches(patterns: str | list[str], value: str, *, flags: int = 0) -> bool:
    """Whether a pattern matches the whole value; actions ignore case."""
    patterns = [patterns] if isinstance(patterns, str) else patterns
    expressions = (re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".") for pattern in patterns)
    return any(re.fullmatch(expression, value, flags | re.DOTALL) for expression in expressions)


def may(policy: dict[str, Any], action: str, resource: str, *, anonymous: bool = False) -> bool:
    """Whether the policy allows this to its holder, or a bucket policy to an anonymous caller."""
    decisions = set()
    for statement in policy["Statement"]:
        assert set(statement) <= ELEMENTS, "the evaluator knows no other elements"
        applies = statement.get("Principal") == EVERYONE if anonymous else "Principal" not in statement
        if (
            applies
            and _matches(statement["Action"], action, flags=re.IGNORECASE)
            and _matches(statement["Resource"], f"arn:aws:s3:::{resource}")
        ):
            decisions.add(statement["Effect"])
    return decisions == {"Allow"}


def _policy(name: str) -> dict[str, Any]:
    policy: dict[str, Any] = json.loads((MINIO / name).read_text())
    return policy


PUBLIC = _policy("outputs-public-read.json")
WORKER = _policy("worker-policy.json")


@pytest.mark.parametrize(
    ("statements", "decision"),
    [
        pytest.param([], False, id="no statement"),
        pytest.param([("Allow", "s3:Get*", "a/*")], True, id="a wildcard"),
        pytest.param([("Allow", "S3:GETOBJECT", "a/b")], True, id="another case"),
        pytest.param([("Allow", "s3:GetObject", "a/?")], True, id="one character"),
        pytest.param([("Allow", "s3:GetObject", "A/b")], False, id="another case of a resource"),
        pytest.param([("Allow", "s3:GetObjectAcl", "a/b")], False, id="a longer action"),
        pytest.param([("Allow", "*", "*"), ("Deny", "s3:Get*", "a/*")], False, id="a denial wins"),
    ],
)
def test_the_evaluator_judges_as_aws_does(statements: list[tuple[str, str, str]], decision: bool) -> None:
    """The action is to get the object `a/b`."""
    made = [
        {"Effect": effect, "Action": action, "Resource": f"arn:aws:s3:::{resource}" if resource != "*" else "*"}
        for effect, action, resource in statements
    ]
    assert may({"Statement": made}, "s3:GetObject", "a/b") is decision


def test_the_evaluator_rejects_unknown_elements() -> None:
    """It cannot evaluate conditions or negations."""
    with pytest.raises(AssertionError, match="knows no other"):
        may({"Statement": [{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}]}, "s3:GetObject", "a/b")


def test_an_anonymous_caller_may_get_an_output() -> None:
    """Output URLs are public."""
    assert may(PUBLIC, "s3:GetObject", "outputs/5be6944d/1/1-mug.jpg", anonymous=True)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        pytest.param("s3:ListBucket", "outputs", id="list outputs"),
        pytest.param("s3:ListBucketVersions", "outputs", id="list versions"),
        pytest.param("s3:ListBucketMultipartUploads", "outputs", id="list uploads"),
        pytest.param("s3:ListAllMyBuckets", "*", id="list buckets"),
        pytest.param("s3:PutObject", "outputs/a.jpg", id="put an output"),
        pytest.param("s3:DeleteObject", "outputs/a.jpg", id="delete an output"),
        pytest.param("s3:GetObjectVersion", "outputs/a.jpg", id="get an older version"),
        pytest.param("s3:GetObjectAcl", "outputs/a.jpg", id="read an access list"),
        pytest.param("s3:PutObjectAcl", "outputs/a.jpg", id="change an access list"),
        pytest.param("s3:GetBucketPolicy", "outputs", id="read the policy"),
        pytest.param("s3:PutBucketPolicy", "outputs", id="change the policy"),
        pytest.param("s3:GetObject", "originals/5be6944d/input.csv", id="get an upload"),
        pytest.param("s3:GetObject", "originals/5be6944d/1/1.jpg", id="get an original"),
        pytest.param("s3:ListBucket", "originals", id="list originals"),
        pytest.param("s3:PutObject", "originals/a.jpg", id="put an original"),
        pytest.param("s3:DeleteObject", "originals/a.jpg", id="delete an original"),
        pytest.param("s3:GetObject", "outputs-of-another/a.jpg", id="get from a bucket with a longer name"),
    ],
)
def test_an_anonymous_caller_may_not(action: str, resource: str) -> None:
    """Neither the bucket policy nor the policy of the workers allows it."""
    assert not may(PUBLIC, action, resource, anonymous=True)
    assert not may(WORKER, action, resource, anonymous=True)


@pytest.mark.parametrize("bucket", ["originals", "outputs"])
@pytest.mark.parametrize(
    "action",
    [
        "PutObject",
        "GetObject",
        "DeleteObject",
        "DeleteObjectVersion",
        "AbortMultipartUpload",
        "ListMultipartUploadParts",
    ],
)
def test_a_worker_may_do_its_work(bucket: str, action: str) -> None:
    """A worker may use the objects of both buckets, list them, and delete all versions of them."""
    assert may(WORKER, f"s3:{action}", f"{bucket}/5be6944d/1/1.jpg")
    assert may(WORKER, "s3:ListBucket", bucket)
    assert may(WORKER, "s3:ListBucketVersions", bucket)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        pytest.param("s3:CreateBucket", "originals", id="make a bucket"),
        pytest.param("s3:DeleteBucket", "outputs", id="delete a bucket"),
        pytest.param("s3:ListAllMyBuckets", "*", id="list buckets"),
        pytest.param("s3:PutBucketPolicy", "originals", id="make originals public"),
        pytest.param("s3:DeleteBucketPolicy", "outputs", id="delete the policy"),
        pytest.param("s3:GetBucketPolicy", "outputs", id="read the policy"),
        pytest.param("s3:PutBucketAcl", "originals", id="open a bucket by its access list"),
        pytest.param("s3:PutObjectAcl", "originals/a.jpg", id="open an object by its access list"),
        pytest.param("s3:PutBucketVersioning", "outputs", id="turn versions off"),
        pytest.param("s3:PutLifecycleConfiguration", "originals", id="let objects expire"),
        pytest.param("s3:PutReplicationConfiguration", "originals", id="copy everything elsewhere"),
        pytest.param("s3:PutBucketNotification", "originals", id="subscribe to events of every object"),
        pytest.param("s3:GetObjectVersion", "outputs/a.jpg", id="read an older version"),
        pytest.param("s3:BypassGovernanceRetention", "outputs/a.jpg", id="bypass a retention"),
        pytest.param("s3:GetObject", "backups/a.jpg", id="get from another bucket"),
        pytest.param("s3:PutObject", "originals2/a.jpg", id="put into a bucket with a longer name"),
        pytest.param("s3:ListBucket", "backups", id="list another bucket"),
        pytest.param("admin:CreateUser", "*", id="make a user"),
        pytest.param("admin:AttachUserOrGroupPolicy", "*", id="extend its own rights"),
        pytest.param("admin:ServerInfo", "*", id="ask about the server"),
        pytest.param("sts:AssumeRole", "*", id="assume another role"),
        pytest.param("kms:CreateKey", "*", id="make a key"),
    ],
)
def test_a_worker_may_not(action: str, resource: str) -> None:
    """A stolen worker key must give no more rights than the work needs."""
    assert not may(WORKER, action, resource)


def test_originals_have_no_bucket_policy() -> None:
    """The script makes the bucket private, and applies the public policy only to outputs."""
    script = (MINIO / "init.sh").read_text()
    assert re.findall(r"^mc anonymous (.+)$", script, re.MULTILINE) == [
        'set private "store/$S3_ORIGINALS_BUCKET"',
        'set-json /tmp/outputs-public-read.json "store/$S3_OUTPUTS_BUCKET"',
    ]
