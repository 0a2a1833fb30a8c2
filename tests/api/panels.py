"""The panels of a record as the schema has them, so that a new one is tested without a word."""

from graphql import GraphQLObjectType, get_named_type, is_required_argument

from schema.root import build, executable


def _panels() -> tuple[str, ...]:
    """The fields of a record that are connections and need no argument."""
    record = executable(build()).type_map["Record"]
    assert isinstance(record, GraphQLObjectType)
    return tuple(
        name
        for name, field in record.fields.items()
        if get_named_type(field.type).name.endswith("Connection")
        and not any(map(is_required_argument, field.args.values()))
    )


PANELS = _panels()


def entries(panel: str, first: int = 3, after: str | None = None) -> str:
    """The selection of a page of ids with its end."""
    begin = f', after: "{after}"' if after else ""
    return f"""{panel}(first: {first}{begin}) {{
      edges {{ node {{ id }} }} pageInfo {{ hasNextPage endCursor }} }}"""
