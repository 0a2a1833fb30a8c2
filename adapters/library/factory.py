"""Recorders for an application of the library, from its environment.

Beside the library's POSTGRES_* variables: ANAMNESIS_TENANT, ANAMNESIS_KEYS (the house's key
folder; for a tool tenant) and ANAMNESIS_FIRST_VERSION (what aggregates begin with: 1, or 0).
"""

from pathlib import Path

from eventsourcing.persistence import (
    AggregateRecorder,
    InfrastructureFactoryError,
    NotSupportedError,
    ProcessRecorder,
)
from eventsourcing.postgres import PostgresFactory, TPostgresTrackingRecorder

from adapters.library.recorder import LogRecorder
from adapters.library.seal import ToolSeal, tool_key

IS_TOOL = "SELECT EXISTS (SELECT FROM tool_tenant WHERE tenant = %s) AS is_tool"


class LogFactory(PostgresFactory):
    """Makes the one recorder that the log can be: of its events."""

    def application_recorder(self) -> LogRecorder:
        """The recorder of ANAMNESIS_TENANT; it writes where that is a tool tenant.

        Raises InfrastructureFactoryError for a variable that is absent.
        """
        tenant = self._required("ANAMNESIS_TENANT")
        return LogRecorder(
            self.datastore,
            tenant,
            seal=self._seal(tenant) if self._is_tool(tenant) else None,
            first_version=int(self.env.get("ANAMNESIS_FIRST_VERSION") or 1),
        )

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """Not of the log: what it is wanted for are snapshots, whose versions have gaps."""
        raise NotSupportedError(f"the log keeps no {purpose} apart from its events")

    def process_recorder(self) -> ProcessRecorder:
        """Not of the log: how far a reader is stands in `checkpoint`, beside its rows."""
        raise NotSupportedError("the log keeps no tracking")

    def tracking_recorder(
        self, tracking_recorder_class: type[TPostgresTrackingRecorder] | None = None
    ) -> TPostgresTrackingRecorder:
        """Not of the log, for the same reason."""
        del tracking_recorder_class
        raise NotSupportedError("the log keeps no tracking")

    def _is_tool(self, tenant: str) -> bool:
        with self.datastore.transaction() as cursor:
            cursor.execute("SELECT set_config('anamnesis.tenant', %s, true)", [tenant])
            row = cursor.execute(IS_TOOL, [tenant]).fetchone()
        return row is not None and bool(row["is_tool"])

    def _seal(self, tenant: str) -> ToolSeal:
        key = tool_key(Path(self._required("ANAMNESIS_KEYS")), tenant)
        return ToolSeal(tenant, self.env.name or "library", key)

    def _required(self, name: str) -> str:
        value = self.env.get(name)
        if not value:
            raise InfrastructureFactoryError(f"set {name}")
        return value
