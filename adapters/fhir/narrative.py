"""FHIR narrative (R4 section 2.4.0): XHTML of strangers, made safe before anybody is shown it."""

import re

import nh3

# The elements and attributes that constraint txt-1 allows, without styles and outside images.
TAGS = frozenset(
    (
        *("a", "abbr", "acronym", "b", "big", "blockquote", "br", "caption", "cite", "code", "col"),
        *("colgroup", "dd", "dfn", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6"),
        *("hr", "i", "kbd", "li", "ol", "p", "pre", "q", "samp", "small", "span", "strong", "sub"),
        *("sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "ul", "var"),
    )
)
_CELLS = {"colspan", "rowspan", "headers", "scope"}
ATTRIBUTES = {"a": {"href", "title"}, "td": _CELLS, "th": _CELLS, "abbr": {"title"}}
_ACTIVE = re.compile(
    r"<\s*(?:script|object|embed|iframe|form|input|link|base|meta)\b|\bon\w+\s*=\s*[\"']"
    r"|javascript:|vbscript:",
    re.IGNORECASE,
)


def is_active(div: str) -> bool:
    """Whether it holds what may run or call: scripts, handlers, forms, frames."""
    return _ACTIVE.search(div) is not None


def clean(div: str) -> str:
    """The narrative with its words, lists and tables, and nothing that runs or calls."""
    return nh3.clean(
        div,
        tags=set(TAGS),
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
