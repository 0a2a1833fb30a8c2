"""A witness over HTTP: POST /add-checkpoint (C2SP tlog-witness v1)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters.heads.witness import MOST_BYTES, Witness
from adapters.keys.files import held, publish, replace
from adapters.proofs.notes import NoteKey


def witness_application(witness: Witness) -> Starlette:
    """The ASGI application of one witness."""

    async def add(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                return PlainTextResponse("The request is too long.\n", 413)
        # Not in a thread: the next request must find what this one has recorded.
        answer = witness.add(body.decode("utf-8", "replace"))
        return Response(answer.text, answer.status, media_type=answer.media_type)

    return Starlette(routes=[Route("/add-checkpoint", add, methods=["POST"])])


class WitnessRuns(Exception):
    """Another witness works in this folder. Two of them could sign two histories: stop one."""


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Nobody else works in the folder while the context is open. Raises WitnessRuns."""
    with held(folder / "witness.lock") as alone:
        if not alone:
            raise WitnessRuns(str(folder))
        yield


def witness_key(folder: Path, name: str) -> NoteKey:
    """The witness's key in the folder, made there when it is absent."""
    path = folder / "witness.key"
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret = Ed25519PrivateKey.generate()
        raw = secret.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        draft = folder / f".witness.key.{os.getpid()}"
        replace(draft, raw)
        publish(draft, path)
    return NoteKey(name, Ed25519PrivateKey.from_private_bytes(path.read_bytes()))
