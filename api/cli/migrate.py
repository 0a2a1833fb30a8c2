"""`anamnesis migrate`: bring the database up to date; `--tenant` opens the log of a tenant."""

import os

import click

from adapters.postgres.migrate import MigrationChanged, add_tenant
from adapters.postgres.migrate import migrate as bring_up_to_date
from api.cli.place import actionable
from api.house import create_root
from api.settings import Settings

FIRST = "0001_roles"
"""The migration that makes a database new; its house gets a root key then and never again."""


@click.command()
@click.option("--tenant", "tenants", multiple=True, help="Open the log of this tenant.")
@actionable
def migrate(tenants: tuple[str, ...]) -> None:
    """Apply the migrations that ANAMNESIS_DSN lacks; a new database gets its root key."""
    settings = Settings.from_environment(os.environ)
    try:
        applied = bring_up_to_date(settings.dsn)
    except MigrationChanged as error:
        raise click.ClickException(f"{type(error).__doc__} [{error}]") from error
    if FIRST in applied:
        create_root(settings)
    for tenant in tenants:
        add_tenant(settings.dsn, tenant)
    click.echo(f"applied: {', '.join(applied) or 'nothing new'}")
