"""XML read into plain nodes that know their line. Entities and external references are refused, never
expanded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from .errors import FormatError

LARGEST_DEPTH = 20


@dataclass
class Node:
    tag: str
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def all(self, tag: str) -> list[Node]:
        return [child for child in self.children if child.tag == tag]


class _Builder:
    """The target that expat's events go to; it keeps its own stack, so depth costs no recursion."""

    def __init__(self) -> None:
        self.parser: Any = None
        self.stack: list[Node] = []
        self.root: Node | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        node = Node(tag, self.parser.CurrentLineNumber, dict(attributes))
        if len(self.stack) >= LARGEST_DEPTH:
            raise FormatError(
                f"elements are nested more than {LARGEST_DEPTH} deep; this is no good-run list.",
                line=node.line,
            )
        if self.stack:
            self.stack[-1].children.append(node)
        else:
            self.root = node
        self.stack.append(node)

    def data(self, text: str) -> None:
        self.stack[-1].text += text

    def end(self, tag: str) -> None:
        self.stack.pop()

    def close(self) -> Node | None:
        return self.root


def parse(data: bytes) -> Node:
    """The root node. Raises FormatError naming the line: not XML, half a file, entities, external
    references.
    """
    builder = _Builder()
    # A document type is allowed, as real lists have one; nothing is loaded because of it.
    reader = DefusedXMLParser(target=builder, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    builder.parser = reader.parser
    try:
        reader.feed(data)
        root: Node | None = reader.close()
    except DefusedXmlException as error:
        raise FormatError(
            "entities and external references are refused and were not expanded; remove them "
            f"({type(error).__name__}).",
            line=reader.parser.CurrentLineNumber,
        ) from None
    except ParseError as error:
        raise FormatError(_syntax(error), line=error.position[0]) from None
    except (LookupError, ValueError) as error:
        raise FormatError(f"this is no XML that can be read ({error}).", line=reader.parser.CurrentLineNumber) from None
    if root is None:
        raise FormatError("the file is empty.")
    return root


def _syntax(error: ParseError) -> str:
    reason = str(error).partition(":")[0]
    if reason in ("no element found", "unclosed token", "unclosed CDATA section"):
        return "the file ends in the middle of its XML; it looks like half a file."
    return f"column {error.position[1] + 1}: this is no XML ({reason})."
