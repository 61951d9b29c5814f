"""The commands that prepare the servers of imgproc, and check them."""

from __future__ import annotations

import logging
from datetime import timedelta

import click
import flask_migrate
from sqlalchemy.exc import DBAPIError

from imgproc.app import create_app
from imgproc.cli import checks
from imgproc.cli.findings import Finding, ok, wrong
from imgproc.cli.listing import print_json
from imgproc.cli.server_options import json_option
from imgproc.core.config import Settings, load_settings
from imgproc.core.errors import InfrastructureError
from imgproc.core.redaction import redact
from imgproc.core.terminal import printable
from imgproc.db import revisions
from imgproc.db.engine import POSTGRESQL_SETTINGS, db, transaction
from imgproc.db.timeouts import limit_role
from imgproc.journey import orphans
from imgproc.journey.outage import describe
from imgproc.journey.services import services
from imgproc.pipeline.storage import buckets

COLOURS = {"ok": "green", "wrong": "red", "note": "yellow"}


@click.command()
@click.option(
    "--no-policy",
    is_flag=True,
    help="Do not change the policy of the outputs bucket, for example where a CDN reads it.",
)
@click.option(
    "--grant",
    metavar="PRINCIPAL",
    help="Let this user do imgproc's work, by the buckets' policies: an ARN on AWS, an access key on versitygw.",
)
@json_option
def init(*, no_policy: bool, grant: str | None, as_json: bool) -> None:
    """Create the buckets and the tables that are missing, and let everyone read objects of the outputs bucket.

    Safe to run again: what is there stays. `imgproc up` does this for its own servers.
    """
    settings = load_settings()
    app = create_app(settings)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with app.app_context():
        _conclude([_tables(settings), *_buckets(settings, no_policy=no_policy, grant=grant)], as_json=as_json)


def _tables(settings: Settings) -> Finding:
    try:
        before = revisions.current()
        if before is not None and before not in revisions.known():
            return wrong("tables", text=f"They are of a newer version ({before}): update imgproc.")
        flask_migrate.upgrade()
        if settings.database_pooling == "transaction":
            with transaction() as connection:
                limit_role(connection, settings=POSTGRESQL_SETTINGS)
    except DBAPIError as error:
        return wrong(
            "tables", text=f"The database cannot be used ({describe(error)}): check that it runs, and DATABASE_URL."
        )
    finally:
        db.engine.dispose()
    newest = revisions.newest()
    return ok("tables", text=f"They were up to date ({newest})." if before == newest else f"They are made ({newest}).")


def _buckets(settings: Settings, *, no_policy: bool, grant: str | None) -> list[Finding]:
    if settings.s3_endpoint_url is None:
        text = "No object store is configured: set S3_ENDPOINT_URL, or run imgproc up, which starts one of its own."
        return [wrong("buckets", text=text)]
    store, found = services().store, []
    outputs = settings.s3_outputs_bucket
    try:
        for bucket in store.buckets:
            made = buckets.create(store, bucket, region=settings.s3_region)
            found.append(ok("buckets", text=f"{bucket} is made." if made else f"{bucket} was there."))
            if grant:
                buckets.grant(store, bucket, principal=grant)
                found.append(ok("policy", text=f"The policy of {bucket} lets {grant} do imgproc's work."))
        if settings.embedded_outputs_dir:
            found.append(ok("policy", text=f"The web process serves the objects of {outputs} to everyone."))
        elif not no_policy:
            changed = buckets.open_to_readers(store, outputs)
            text = "can now be read" if changed else "could already be read"
            found.append(ok("policy", text=f"The objects of {outputs} {text} by everyone, and listed by no one."))
    except InfrastructureError as error:
        remedy = "The user of S3_ACCESS_KEY_ID may lack the right: run init with the credentials of an administrator."
        found.append(wrong("buckets", text=f"{error} {remedy}"))
    return found


@click.command()
@json_option
def check(*, as_json: bool) -> None:
    """Say what is configured, and whether it works: one sentence for each part, with the remedy where it is wrong.

    Uses the settings of this environment, as the server does, and stores a small object for a moment. The exit status
    is 1 where something is wrong.
    """
    settings = load_settings()
    logging.disable()  # the findings say it
    with create_app(settings).app_context():
        _conclude(list(checks.findings(settings)), as_json=as_json)


@click.command("orphans")
@click.option("--delete", "wants_deletion", is_flag=True, help="Delete them, with their versions. Back up before.")
@click.option(
    "--older-than",
    "days",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    metavar="DAYS",
    help="Only requests whose newest object is older than so many days.",
)
def clean_up(*, wants_deletion: bool, days: float) -> None:
    """List objects in the buckets that belong to no request, as after the restore of an older database.

    One line for each request and bucket: the id, the bucket, the objects (at most 1,000 are counted), and when the
    newest was stored. Two installations that share buckets need an S3_PREFIX each, or each lists the other's objects.
    """
    number = 0
    with create_app(load_settings()).app_context():
        for orphan in orphans.find(services(), older_than=timedelta(days=days)):
            number += 1
            stored = f"{orphan.stored_at:%Y-%m-%dT%H:%M:%SZ}"
            click.echo(printable(f"{orphan.request_id}  {orphan.bucket}  {orphan.objects} objects  {stored}"))
            if wants_deletion:
                orphans.delete(services(), orphan)
    done = "They are deleted." if wants_deletion and number else ""
    click.echo(f"{number} without a request. {done}".rstrip(), err=True)


def _conclude(found: list[Finding], *, as_json: bool) -> None:
    """Print the findings; exit with status 1 where one is wrong."""
    is_wrong = any(finding.state == "wrong" for finding in found)
    if as_json:
        rows = [{"part": each.part, "state": each.state, "detail": redact(each.text)} for each in found]
        print_json({"ok": not is_wrong, "findings": rows})
    else:
        for each in found:
            state = click.style(f"{each.state:<5}", fg=COLOURS[each.state])
            click.echo(f"{state}  {each.part:<9} {printable(redact(each.text))}")
    if is_wrong:
        raise click.exceptions.Exit(1)
