"""`anamnesis migrate`: bring the database up to date; `--tenant` opens the log of a tenant.

`--tool-tenant` opens one that holds no patients and that tools may write (docs/adr/0011).
"""

import asyncio
import os

import click

from adapters.postgres.migrate import (
    MigrationChanged,
    TenantIsReal,
    add_tenant,
    add_tool_tenant,
)
from adapters.postgres.migrate import migrate as bring_up_to_date
from api.cli.place import actionable
from api.keystore import create_root, prepare_store
from api.settings import Settings

FIRST = "0001_roles"
"""The migration that makes a database new; its house gets a root key then and never again."""


@click.command()
@click.option("--tenant", "tenants", multiple=True, help="Open the log of this tenant.")
@click.option("--tool-tenant", "tools", multiple=True, help="Open a log that tools may write.")
@actionable
def migrate(tenants: tuple[str, ...], tools: tuple[str, ...]) -> None:
    """Apply the migrations that ANAMNESIS_DSN lacks; a new database gets its root key."""
    settings = Settings.from_environment(os.environ)
    try:
        applied = bring_up_to_date(settings.dsn)
    except MigrationChanged as error:
        raise click.ClickException(f"{type(error).__doc__} [{error}]") from error
    if FIRST in applied:
        create_root(settings)
    asyncio.run(prepare_store(settings))
    for tenant in tenants:
        add_tenant(settings.dsn, tenant)
    try:
        for tenant in tools:
            add_tool_tenant(settings.dsn, tenant)
    except TenantIsReal as error:
        raise click.ClickException(f"{type(error).__doc__} [{error}]") from error
    click.echo(f"applied: {', '.join(applied) or 'nothing new'}")
