"""Dispatch: the outbox that effects are written to, and the dispatcher that carries them out."""

from adapters.dispatch.carrying import (
    Carrier,
    Dispatcher,
    Failed,
    InDoubtNow,
    NotConnected,
    NotWanted,
    Reports,
)
from adapters.dispatch.effects import Effects, Pending, Stuck
from adapters.dispatch.jobs import ArqJobs, Jobs, LocalJobs
from adapters.dispatch.outbox import Outbox, effect_id
from adapters.dispatch.sweeping import Sweeper

__all__ = [
    "ArqJobs",
    "Carrier",
    "Dispatcher",
    "Effects",
    "Failed",
    "InDoubtNow",
    "Jobs",
    "LocalJobs",
    "NotConnected",
    "NotWanted",
    "Outbox",
    "Pending",
    "Reports",
    "Stuck",
    "Sweeper",
    "effect_id",
]
