"""The errors of object stores: Amazon S3, Google Cloud Storage, Azure, and those that speak like them."""

from __future__ import annotations

from imgproc.pipeline.http.host_gate import Trouble
from imgproc.pipeline.http.refusal_rules import Rule, sign

_EXPIRED = "says that the signed URL has expired; give one that is valid for some days, or make the picture public"
_SIGNATURE = "says that the signature of the URL is wrong; copy the URL whole and unchanged, or sign it again"
_MISSING = "says that it has no such file; check the path in the URL"

STORES = (
    Rule(
        sign(r"<code>accessdenied</code>(?s:.{0,2000}?)(?:request has expired|expired)", r"<code>expiredtoken</code>"),
        None,
        _EXPIRED,
    ),
    Rule(
        sign(
            r"\b(?:link|url|token|signature|attachment) (?:has |is |was )?expired",
            r"\bexpired (?:link|url|token|signature)",
        ),
        None,
        _EXPIRED,
        frozenset({400, 401, 403, 404, 410}),
    ),
    Rule(sign(r"<code>(?:tokenrefreshrequired|invalidtoken)</code>"), None, _EXPIRED),
    Rule(
        sign(
            r"<code>authenticationfailed</code>(?s:.{0,2000}?)(?:time frame|signed expiry time)",
            r"url signature expired|\"error\": ?\"invalidjwt\"|jwt expired|this content is no longer available",
        ),
        None,
        _EXPIRED,
    ),
    Rule(
        sign(r"<code>requesttimetooskewed</code>"),
        None,
        "says that the time of the signed URL is wrong; set the clock of the machine that signs",
    ),
    Rule(
        sign(
            r"<code>(?:signaturedoesnotmatch|authenticationfailed|invalidaccesskeyid|invalidsecurity|accessdeniedbad\w*"
            r"|authorizationquery\w+|invalidargument|missingsecurityheader)</code>",
            r"url signature mismatch|invalid url signature",
        ),
        None,
        _SIGNATURE,
        frozenset({400, 401, 403}),
    ),
    Rule(
        sign(r"missing key-pair-id|<code>missingkey</code>"),
        None,
        "serves signed URLs only (CloudFront); give a signed one",
    ),
    Rule(
        sign(
            r"<code>(?:allaccessdisabled|accountproblem|usersuspended|userprojectaccountproblem\w*|accountisdisabled)</code>"
        ),
        None,
        "says that the account of its store is closed; ask its owner, or give the picture from another host",
    ),
    Rule(
        sign(r"<code>(?:nosuchbucket|containernotfound|accountnotfound)</code>", r"\"message\": ?\"bucket not found"),
        None,
        "says that it has no such bucket; check the host and the path in the URL",
    ),
    Rule(
        sign(
            r"<code>(?:nosuchkey|blobnotfound|resourcenotfound|nosuchversion)</code>",
            r"\"message\": ?\"object not found",
        ),
        None,
        _MISSING,
    ),
    Rule(
        sign(r"<code>(?:permanentredirect|temporaryredirect|illegallocationconstraintexception)</code>"),
        None,
        "says that the bucket is in another region; give the URL with the endpoint of its region",
    ),
    Rule(
        sign(r"<code>invalidobjectstate</code>"),
        None,
        "keeps this file in an archive; restore it, or give the picture from another host",
    ),
    Rule(
        sign(
            r"<code>(?:slowdown|serverbusy|servicebusy|throttling\w*|requestlimitexceeded|toomanyrequests|serviceunavailable)</code>"
        ),
        None,
        "asks for fewer requests; nothing to do, it is asked again later",
        retryable=True,
        trouble=Trouble.BUSY,
    ),
    Rule(
        sign(r"<code>(?:internalerror|requesttimeout|operationtimedout)</code>"),
        None,
        "had a fault of its own; try again later",
        retryable=True,
    ),
    Rule(
        sign(
            r"<code>(?:accessdenied|publicaccessnotpermitted|authorizationfailure|authorizationpermissionmismatch"
            r"|anonymousaccessdenied|userprojectmissing|nopermission)</code>",
            r"anonymous caller does not have storage\.objects\.get access|\"message\": ?\"permission denied",
        ),
        None,
        "does not let everyone read this file in its store; make the file public, or give a signed URL",
        frozenset({400, 401, 403, 409}),
    ),
)
