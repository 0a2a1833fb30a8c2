#!/usr/bin/env python3
"""Checks an audit export or a receipt of Anamnesis offline, and says in plain words what it shows.

    python verify.py FILE [--key KEY ...] [--json]

FILE is what `anamnesis audit export` or `anamnesis audit receipt` wrote. KEY is the log's verifier
key (`anamnesis heads`) as you were given it, not as the file has it: without one, the file is only
shown to fit itself. Exit code 0: everything is as written; 1: something is wrong, and it is said
what and where; 2: the file or a key cannot be read.

This file stands alone: Python 3.11 and the package `cryptography` are all it needs. It was written
from the standards and shares no code with the product: RFC 6962 (Merkle tree), RFC 9162 sections
2.1.3.2 and 2.1.4.2 (checking paths), RFC 8032 (Ed25519), and C2SP signed-note, tlog-checkpoint and
tlog-proof. An event's leaf is the SHA-256 of a zero byte, its position, version and time (eight
bytes each), and the SHA-256 of its header, of its salt with its context, and of its sealed body.
"""

import argparse
import base64
import hashlib
import json
import re
import struct
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MOST_TOLD = 20
DAMAGED = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError,
    struct.error,
)  # fmt: skip


class Unreadable(Exception):
    """The file is none of ours, or was cut."""


def sha256(content):
    return hashlib.sha256(content).digest()


def unbase64(text):
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("base64 that is not the one way to write it")
    return raw


HEAD = {"head", "since"}
ENTRY = {"position", "version", "at", "header", "context", "salt", "body", "leaf", "path"}


def named(read, members):
    """Raises ValueError for a line with other members, which nobody would have looked at."""
    if not isinstance(read, dict) or set(read) != members:
        raise ValueError("other members than those of such a line")


def leaf_of(entry, context_hash, body_hash):
    numbers = struct.pack(">xqqq", entry["position"], entry["version"], entry["at"])
    return sha256(numbers + sha256(entry["header"].encode()) + context_hash + body_hash)


def node(left, right):
    return sha256(b"\x01" + left + right)


def hashes(*values):
    return all(len(value) == 32 for value in values)


class Tree:
    """The frontier of a growing tree: roots of its perfect parts, the largest first."""

    def __init__(self):
        self.size, self.parts = 0, []

    def add(self, leaf):
        count = self.size
        while count & 1:
            leaf = node(self.parts.pop(), leaf)
            count >>= 1
        self.parts.append(leaf)
        self.size += 1

    def root(self):
        if not self.parts:
            return sha256(b"")
        root = self.parts[-1]
        for part in reversed(self.parts[:-1]):
            root = node(part, root)
        return root


def includes(root, size, index, leaf, path):
    """RFC 9162, section 2.1.3.2."""
    if not 0 <= index < size or not hashes(root, leaf, *path):
        return False
    place, last, found = index, size - 1, leaf
    for other in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node(other, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = node(found, other)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def extends(old_root, old, new_root, new, path):
    """RFC 9162, section 2.1.4.2. A tree goes on from itself, and from an empty one nothing does."""
    if old == new > 0:
        return not path and old_root == new_root
    if not 0 < old < new or not hashes(old_root, new_root, *path):
        return False
    parts = list(path) if old & (old - 1) else [old_root, *path]
    if not parts:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    older = newer = parts[0]
    for part in parts[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            older, newer = node(part, older), node(part, newer)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            newer = node(newer, part)
        place, last = place >> 1, last >> 1
    return last == 0 and older == old_root and newer == new_root


class Key:
    """A verifier key of C2SP signed-note: name+hash+base64(type, key)."""

    def __init__(self, text):
        name, hashed, encoded = text.strip().split("+", 2)
        raw = unbase64(encoded)
        self.text, self.name, self.hash = text.strip(), name, bytes.fromhex(hashed)
        if raw[:1] != b"\x01" or sha256(name.encode() + b"\n" + raw)[:4] != self.hash:
            raise ValueError("no Ed25519 verifier key")
        self.public = Ed25519PublicKey.from_public_bytes(raw[1:])


class Head:
    """A checkpoint in a signed note; `signed_by` is the key of ours that signed it, or None."""

    def __init__(self, note, keys):
        text, _, below = note.rpartition("\n\n")
        self.origin, size, root, *_ = [*text.split("\n"), "", ""]
        self.size, self.root = int(size), unbase64(root)
        self.signed_by = next((k for k in keys if self._signed(f"{text}\n", below, k)), None)

    def _signed(self, text, below, key):
        for line in below.splitlines():
            match = re.fullmatch(r"— ([^\s+]+) (\S+)", line)
            if match and match[1] == key.name == self.origin:
                signature = unbase64(match[2])
                if signature[:4] == key.hash:
                    try:
                        key.public.verify(signature[4:], text.encode())
                    except InvalidSignature:
                        return False
                    return True
        return False


def moment(micros):
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).isoformat()


class Export:
    """An audit export: its first line, its heads, then its entries one by one."""

    def __init__(self, told, lines, trusted):
        self.wrong, self.told, self.lines = [], told, lines
        self.keys = trusted or [Key(text) for text in self.told["keys"]]
        self.heads, self.at_size, self.tree = [], {}, Tree()
        self.count, self.last, self.first_at, self.last_at = 0, 0, None, None
        self.types, self.actors = Counter(), set()

    def check(self):
        for number, line in enumerate(self.lines, 2):
            try:
                read = json.loads(line)
                named(read, HEAD if "head" in read else ENTRY)
                self._head(read) if "head" in read and not self.count else self._entry(read)
            except DAMAGED:
                self.wrong.append(f"line {number} is damaged")
        self._end()

    def _head(self, read):
        head = Head(read["head"], self.keys)
        if head.signed_by is None:
            self.wrong.append(f"the head of {head.size} events is not signed by the log's key")
        before = self.heads[-1] if self.heads else None
        if before and head.size <= before.size:
            self.wrong.append(f"the head of {head.size} events is out of order")
        elif before and not self.told["whole"]:
            path = [unbase64(one) for one in read["since"]]
            if not extends(before.root, before.size, head.root, head.size, path):
                self.wrong.append(
                    f"the head of {head.size} events does not go on from that of {before.size}:"
                    f" something up to event {before.size} was changed in between"
                )
        self.heads.append(head)
        self.at_size[head.size] = head

    def _entry(self, entry):
        position = entry["position"]
        expected = self.count + 1 if self.told["whole"] else self.last + 1
        if position < expected or (self.told["whole"] and position > expected):
            self.wrong.append(f"after event {self.last} comes event {position}")
        self.count, self.last = self.count + 1, position
        leaf = self._leaf(entry)
        if self.told["whole"]:
            self.tree.add(leaf)
            self._root()
        elif not self._included(entry, leaf):
            self.wrong.append(f"event {position} is not in the log of the last head")
        self._sum_up(entry)

    def _leaf(self, entry):
        context = sha256(unbase64(entry["salt"]) + entry["context"].encode())
        leaf = leaf_of(entry, context, unbase64(entry["body"]))
        if leaf != unbase64(entry["leaf"]):
            self.wrong.append(f"event {entry['position']} is not as it was written")
        return leaf

    def _root(self):
        head = self.at_size.get(self.tree.size)
        if head and head.root != self.tree.root():
            since = max((h.size for h in self.heads if h.size < head.size), default=0)
            self.wrong.append(
                f"the events up to {head.size} are not those that its head was signed for;"
                f" look from event {since + 1} on first"
            )

    def _included(self, entry, leaf):
        path = [unbase64(one) for one in entry["path"]]
        head = self.heads[-1] if self.heads else None
        return head and includes(head.root, head.size, entry["position"] - 1, leaf, path)

    def _sum_up(self, entry):
        header, context = json.loads(entry["header"]), json.loads(entry["context"])
        self.types[str(header.get("type"))] += 1
        self.actors.add((context.get("actor_kind"), context.get("actor")))
        if self.last_at is not None and entry["at"] < self.last_at:
            self.wrong.append(f"event {entry['position']} is dated before the one before it")
        self.first_at = entry["at"] if self.first_at is None else self.first_at
        self.last_at = entry["at"]

    def _end(self):
        if not self.heads:
            self.wrong.append("there is no signed head")
        if self.count != self.told["events"]:
            self.wrong.append(f"{self.told['events']} events were exported, {self.count} are here")
        if self.told["whole"] and self.heads and self.tree.size != self.heads[-1].size:
            last = self.heads[-1].size
            self.wrong.append(f"the last head is of {last} events, {self.tree.size} are here")

    def words(self):
        yield f"Audit export of {self.told['tenant']}: {self.told['selection']}"
        if self.count:
            times = f"{moment(self.first_at)} to {moment(self.last_at)}"
            yield f"{self.count} events, {times}, by {len(self.actors)} actors:"
            for kind, count in sorted(self.types.items()):
                yield f"  {count:>8}  {kind}"
        if self.heads:
            last = self.heads[-1]
            yield f"{len(self.heads)} heads; the last one is of {last.size} events of {last.origin}"
        if self.wrong:
            return
        if self.told["whole"]:
            yield "These are all events of that log up to the last head, and each is as written."
        else:
            yield "Each of these events is in that log as written. That no other event belongs to"
            yield "the selection cannot be shown by a part of the log: ask for --all for that."


class Receipt:
    """The proof of one event, without who acted and without content."""

    def __init__(self, told, trusted):
        self.wrong, self.told = [], told
        self.keys = trusted or [Key(told["key"])]
        above, _, note = told["proof"].partition("\n\n")
        self.first, index, *self.path = above.split("\n")
        self.index, self.head = int(index.removeprefix("index ")), Head(note, self.keys)

    def check(self):
        told = self.told
        leaf = leaf_of(told, unbase64(told["context"]), unbase64(told["body"]))
        path = [unbase64(one) for one in self.path]
        if self.head.signed_by is None:
            self.wrong.append("the head is not signed by the log's key")
        if self.first != "c2sp.org/tlog-proof@v1" or self.index != told["position"] - 1:
            self.wrong.append("the proof is of another event")
        if not includes(self.head.root, self.head.size, self.index, leaf, path):
            self.wrong.append(f"event {told['position']} is not in the log as this receipt has it")
        if not isinstance(json.loads(told["header"]), dict):
            self.wrong.append("the header is damaged")

    def words(self):
        told, header = self.told, json.loads(self.told["header"])
        yield f"Receipt of event {told['position']} of {self.head.origin}"
        yield f"  {header.get('type')}, written {moment(told['at'])}, chart {header.get('chart')}"
        if not self.wrong:
            yield f"It is in the log of {self.head.size} events that the head was signed for."


def opened(file, trusted):
    """What the file is. Raises Unreadable."""
    told = json.loads(next(file, "null"))
    kind = told.get("format") if isinstance(told, dict) else None
    if kind == "anamnesis-receipt/1":
        return Receipt(told, trusted)
    if kind == "anamnesis-audit/1":
        return Export(told, file, trusted)
    raise Unreadable("neither an export nor a receipt of Anamnesis")


def report(found, trusted, as_json):
    if as_json:
        told = {"ok": not found.wrong, "wrong": found.wrong, "key_named": bool(trusted)}
        print(json.dumps(told))
        return
    try:
        for words in found.words():
            print(words)
    except DAMAGED:
        found.wrong.append("what the file says of itself is damaged")
    if not trusted:
        print("You named no key. Compare this one with the key that you were given:")
        print(*(f"  {key.text}" for key in found.keys), sep="\n")
    for words in found.wrong[:MOST_TOLD]:
        print(f"WRONG: {words}")
    if len(found.wrong) > MOST_TOLD:
        print(f"WRONG: and {len(found.wrong) - MOST_TOLD} more; --json lists all")
    print("NOT AS WRITTEN" if found.wrong else "OK")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("file")
    parser.add_argument("--key", action="append", default=[], help="a verifier key you were given")
    parser.add_argument("--json", action="store_true", help="one JSON object with all findings")
    given = parser.parse_args(arguments)
    try:
        trusted = [Key(text) for text in given.key]
        with open(given.file, encoding="utf-8") as file:
            found = opened(file, trusted)
            found.check()
    except (OSError, Unreadable, *DAMAGED) as error:
        print(f"This file or key cannot be read: {error}", file=sys.stderr)
        return 2
    report(found, trusted, given.json)
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
