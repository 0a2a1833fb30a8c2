"""How deep decoded JSON is nested: a limit of our own, because Python's differs by version."""

LEVELS = 64


def nested_too_deep(value: object, levels: int = LEVELS) -> bool:
    """Whether arrays and objects stand within one another more than `levels` deep."""
    layer = [value]
    for _ in range(levels + 1):
        layer = [child for one in layer for child in _children(one)]
        if not layer:
            return False
    return True


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
