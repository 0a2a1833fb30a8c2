"""Our log under the library eventsourcing (docs/adr/0011): `PERSISTENCE_MODULE=adapters.library`.

Its tools and applications read any tenant's log; they write the logs of tool tenants.
"""

from adapters.library.loggers import loggers_kept

with loggers_kept():
    from adapters.library.factory import LogFactory

__all__ = ["LogFactory"]
