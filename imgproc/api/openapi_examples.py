"""Examples in the OpenAPI document: a body of each kind, and a problem of each code."""

from __future__ import annotations

from typing import Any

from werkzeug.http import HTTP_STATUS_CODES

ID = "5be6944d-2778-4bd7-8421-c01ed7d4944e"
DELIVERY_ID = "0e6c1c52-7a3f-4c55-9b1c-1c8a3f6d2f10"
BASE = "https://imgproc.example"
HOOK = "https://shop.example/hooks/images"
URL = "https://shop.example/images/mug-front.jpg"
CSV = f"S. No.,Product Name,Input Image Urls\n1.,Stoneware Mug,{URL}\n"
OUTPUT = (
    f"S. No.,Product Name,Input Image Urls,Output Image Urls\n1.,Stoneware Mug,{URL},{BASE}/outputs/{ID}/1/1-mug.jpg\n"
)
FAILED = f"S. No.,Product Name,Input Image Urls,Error\n2.,Scarf,{URL}x,Image 1: the host answered 404.\n"

ACCEPTED = {"requestId": ID, "status": "processing", "statusUrl": f"{BASE}/api/status/{ID}"}
UPLOAD_COUNTS = {"rows": 1, "products": 1, "images": 1, "skippedRows": 0}
HEADINGS = {"serialNumber": "S. No.", "productName": "Product Name"}
READING = {
    "kind": "csv",
    "sheet": None,
    "encoding": "utf-8",
    "delimiter": ",",
    "headerLine": 2,
    "columns": HEADINGS | {"inputImageUrls": ["Input Image Urls"]},
    "unused": ["Price"],
    "notes": [{"code": "lines_above_header", "line": 1, "detail": "Line 1 is above the header and not read."}],
    "rows": [{"line": 3, "serialNumber": "1.", "productName": "Stoneware Mug", "urls": [URL]}],
}
UPLOADED = ACCEPTED | {
    "status": "pending",
    "createdAt": "2026-11-24T16:12:52.581Z",
    "counts": UPLOAD_COUNTS,
    "reading": READING,
}
VALIDATED = {
    "valid": True,
    "filename": "products.csv",
    "encoding": "utf-8",
    "delimiter": ",",
    "header": ["S. No.", "Product Name", "Input Image Urls", "Price"],
    "columns": HEADINGS | {"inputImageUrls": "Input Image Urls"},
    "reading": READING,
    "counts": UPLOAD_COUNTS,
    "errors": [],
    "errorsTruncated": False,
}
ALL_DONE = {"total": 1, "completed": 1, "failed": 0}
SUMMARY = {
    "requestId": ID,
    "status": "completed",
    "createdAt": "2026-11-24T16:12:52.581Z",
    "startedAt": "2026-11-24T16:12:52.613Z",
    "finishedAt": "2026-11-24T16:12:54.773Z",
    "filename": "products.csv",
    "reference": "spring-2026",
    "options": {"quality": 50, "scale": 0.5, "format": "jpeg"},
    "progress": {"percent": 100, "etaSeconds": None, "products": ALL_DONE, "images": ALL_DONE},
    "bytes": {"source": 799192, "output": 78945, "savedPercent": 90.1},
    "outputCsvUrl": f"{BASE}/outputs/{ID}/d01f3a6b8c92e74405b7f1a9c3de8826/output.csv",
    "failedCsvUrl": None,
    "outputXlsxUrl": None,
    "error": None,
}
DELIVERED = {"status": "delivered", "attempts": 1, "lastResponseStatus": 204, "nextAttemptAt": None}
LINKS = {name: f"{BASE}/api/requests/{ID}/{name}" for name in ("products", "deliveries", "cancel", "retry")}
STATUS = SUMMARY | {
    "reading": READING,
    "waiting": [],
    "webhook": {"url": HOOK} | DELIVERED,
    "links": {"self": f"{BASE}/api/status/{ID}", "outputCsv": f"{BASE}/api/requests/{ID}/output.csv"} | LINKS,
}
STAGES_MS = {
    "wait": 2,
    "dns": 1,
    "connect": 6,
    "firstByte": 18,
    "download": 14,
    "decode": 19,
    "encode": 21,
    "store": 5,
}
PRODUCT = {
    "line": 2,
    "serialNumber": "1.",
    "productName": "Stoneware Mug",
    "status": "completed",
    "error": None,
    "images": [
        {
            "position": 1,
            "sourceUrl": URL,
            "outputUrl": f"{BASE}/outputs/{ID}/1/1-stoneware-mug.jpg",
            "originalUrl": f"s3://originals/{ID}/1/1.jpg",
            "status": "completed",
            "error": None,
            "source": {"bytes": 799192, "width": 2000, "height": 2000, "format": "jpeg"},
            "output": {"bytes": 78945, "width": 1000, "height": 1000, "format": "jpeg", "kept": False},
            "durationMs": 84,
            "stagesMs": STAGES_MS,
        }
    ],
}
SENT = {
    "headers": {
        "Content-Type": "application/json",
        "webhook-id": DELIVERY_ID,
        "webhook-timestamp": "1795536774",
        "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    },
    "body": '{"type":"ping"}',
}
ANSWERED = {"status": 204, "headers": {"Server": "nginx"}, "body": ""}
CAME_BACK = {"error": None, "durationMs": 31, "request": SENT, "response": ANSWERED, "note": None}
ATTEMPT = {"number": 1, "attemptedAt": "2026-11-24T16:12:54.9Z", "responseStatus": 204} | CAME_BACK
DELIVERY = {
    "id": DELIVERY_ID,
    "url": HOOK,
    "type": "request.completed",
    "status": "delivered",
    "createdAt": "2026-11-24T16:12:54.773Z",
    "nextAttemptAt": None,
    "lastResponseStatus": 204,
    "attempts": [ATTEMPT],
}
KEY = {
    "id": DELIVERY_ID,
    "name": "Spring shop",
    "prefix": "imgproc_Zx3kQ9",
    "scopes": ["read", "write"],
    "createdAt": "2026-11-24T16:12:52.581Z",
    "lastUsedAt": None,
    "expiresAt": "2027-11-24T00:00:00Z",
    "revokedAt": None,
}
NEW_KEY = "imgproc_Zx3kQ9_an_example_of_a_key_that_does_not_work"
SHARE = {
    "id": DELIVERY_ID,
    "createdAt": "2026-11-24T16:12:52.581Z",
    "expiresAt": "2026-12-24T16:12:52.581Z",
    "revokedAt": None,
}
# By the name of the schema; a test validates each.
BODIES: dict[str, Any] = {
    "UploadOut": UPLOADED,
    "ValidateOut": VALIDATED,
    "StatusOut": STATUS,
    "RequestsOut": {"items": [SUMMARY], "nextCursor": None},
    "ProductsOut": {"items": [PRODUCT], "nextCursor": None},
    "DeliveriesOut": {"items": [DELIVERY], "nextCursor": None},
    "PingOut": {"delivered": True} | CAME_BACK,
    "AcceptedOut": ACCEPTED,
    "CreatedKeyOut": KEY | {"key": NEW_KEY, "webhookSecret": "whsec_c2VjcmV0IG9mIGFuIGV4YW1wbGU="},
    "RotatedKeyOut": KEY | {"key": NEW_KEY, "oldKeyUntil": None},
    "KeysOut": {"items": [KEY], "nextCursor": None},
    "CreatedShareOut": SHARE | {"url": f"{BASE}/share/an-example-of-a-token"},
    "SharesOut": {"items": [SHARE]},
    "HealthOut": {"status": "ok"},
    "ReadyOut": {"status": "ready", "checks": {"database": "ok", "redis": "ok", "buckets": "ok"}},
}

NAME = "There is no option 'webhook_url'. Did you mean webhookUrl? Rename it, or leave it out."
ROW = {"line": 8, "column": "Product Name", "code": "empty_product_name"}
ROW_DETAIL = "The product name is empty: write one."
# The `detail` of each code that a response lists first, and what its `errors` hold.
DETAILS = {
    "already_ended": "The request has already ended as completed; there is nothing to cancel.",
    "bad_request": "The body is not JSON; send an object with the member url.",
    "cross_site": "Your browser sent this from a page of another site; call the API from your own server instead.",
    "file_too_large": "The upload is larger than this server accepts; split the file, and keep the other parts short.",
    "idempotency_key_reused": "This Idempotency-Key was used before with another file or other options; use a new key.",
    "insufficient_scope": "This needs an admin key: one with the scope admin.",
    "invalid_csv": f"1 of 7 rows cannot be used; the first fault is on line 8: {ROW_DETAIL}",
    "invalid_webhook_url": "The webhook URL has no scheme; write it as https://host/path.",
    "invalid_option": "The expiry has passed, or is too far away; give a time to come.",
    "key_not_found": "There is no key with this id; list the keys.",
    "key_revoked": "This key is revoked; create another.",
    "missing_api_key": "This server requires an API key; send yours as Authorization: Bearer imgproc_….",
    "missing_file": "The body is empty; check the path of the file that your client sends.",
    "not_finished": "The request has not ended yet; poll its status until it has.",
    "not_ready": "Cannot be reached: redis; the log has the reason.",
    "rate_limited": "You made more than 60 calls of this kind; wait 12 s, then call less often.",
    "request_not_found": "There is no request with this id; check the requestId that the upload returned.",
    "delivery_in_progress": "This delivery is being sent right now; wait for its outcome.",
    "share_not_found": "This request has no link with this id; list its links.",
    "storage_unavailable": "The object store cannot be reached. Try again in a few seconds.",
    "too_many_links": "This request has 50 links already; revoke one first.",
    "unknown_option": NAME,
    "unsupported_file_type": "The file is a PDF document: upload the table that it was made from, as “CSV UTF-8”.",
}
MEMBERS: dict[str, Any] = {
    "invalid_csv": {"errors": [ROW | {"detail": ROW_DETAIL}]},
    "unknown_option": {"errors": [{"option": "webhook_url", "code": "unknown_option", "detail": NAME}]},
    "not_ready": {"checks": {"database": "ok", "redis": "unreachable", "buckets": "ok"}},
}


def problem(status: int, code: str) -> dict[str, Any]:
    """A problem with this code."""
    title = HTTP_STATUS_CODES[status]
    standard: dict[str, Any] = {
        "type": f"{BASE}/docs/errors/{code}",
        "title": title,
        "status": status,
        "detail": DETAILS[code],
        "code": code,
    }
    return {**standard, **MEMBERS.get(code, {})}
