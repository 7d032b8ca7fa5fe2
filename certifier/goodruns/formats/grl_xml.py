"""GRL XML, the good-run list of ATLAS: `LumiRangeCollection / NamedLumiRange / LumiBlockCollection`.

Ranges are inclusive; a range without an end is open. Name, version, metadata and the attributes of runs are
kept verbatim.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from certifier.lumi import LumiError, LumiSet, RunLumiMap

from .errors import FormatError
from .xml_tree import Node, parse

# What producers write for "until the end of the run": the largest 32-bit integers, signed and not, with and
# without one off.
OPEN_ENDS = frozenset({2147483647, 2147483646, 4294967295, 4294967294})
PROLOG = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE LumiRangeCollection SYSTEM "http://atlas-runquery.cern.ch/LumiRangeCollection.dtd">\n'
)
VERSION = "2.1"
ROOT = "LumiRangeCollection"
LARGEST_TEXT = 5_000_000

LengthOf = Callable[[int], int | None]


@dataclass(frozen=True)
class Element:
    """A metadata element as it stood in the file."""

    tag: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    children: tuple[Element, ...] = ()

    def to_json(self) -> dict[str, Any]:
        kept: dict[str, Any] = {"tag": self.tag, "attributes": dict(self.attributes), "text": self.text}
        if self.children:
            kept["children"] = [child.to_json() for child in self.children]
        return kept

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Element:
        children = tuple(cls.from_json(child) for child in kept.get("children", ()))
        return cls(kept["tag"], kept["attributes"], kept["text"], children)


@dataclass(frozen=True)
class Layout:
    """How a file was laid out, where it follows the usual pattern: what precedes the root, indentation,
    quotes, the end.
    """

    prolog: str = PROLOG
    indent: str = "  "
    quote: str = '"'
    end: str = "\n"
    descending: bool = False  # the newest run first, as the run query of ATLAS writes them


DEFAULT = Layout()


@dataclass(frozen=True)
class Description:
    """Everything in a GRL XML except its runs."""

    name: str
    version: str = VERSION
    metadata: tuple[Element, ...] = ()
    run_attributes: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    layout: Layout | None = None

    def to_json(self) -> dict[str, Any]:
        kept: dict[str, Any] = {
            "name": self.name,
            "version": self.version,
            "metadata": [element.to_json() for element in self.metadata],
            "run_attributes": {str(run): dict(attributes) for run, attributes in self.run_attributes.items()},
        }
        if self.layout is not None:
            kept["layout"] = dict(vars(self.layout))
        return kept

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Description:
        return cls(
            kept["name"],
            kept["version"],
            tuple(Element.from_json(element) for element in kept["metadata"]),
            {int(run): attributes for run, attributes in kept["run_attributes"].items()},
            Layout(**kept["layout"]) if "layout" in kept else None,
        )


@dataclass(frozen=True)
class GrlFile:
    content: RunLumiMap
    description: Description
    remarks: tuple[str, ...] = ()


def read(data: bytes | str, length_of: LengthOf | None = None) -> GrlFile:
    """A GRL XML file. `length_of` gives the number of lumisections of a run, for open ranges; None where it
    is not known.

    Several named ranges are joined, and a remark says so. Raises FormatError naming the line, the run and the
    range.
    """
    raw = data.encode() if isinstance(data, str) else data
    root = parse(raw)
    if root.tag != ROOT:
        raise FormatError(f"the root is <{root.tag[:60]}>; a good-run list begins with <{ROOT}>.", line=root.line)
    named = root.all("NamedLumiRange")
    reading = _Reading(length_of)
    for part in named:
        reading.take(part)
    if len(named) > 1:
        names = ", ".join(f"“{_text_of(part, 'Name')}”" for part in named)
        reading.remarks.append(f"{len(named)} named ranges were joined into one: {names}.")
    for child in root.children:
        if child.tag != "NamedLumiRange":
            reading.ignore(child)
    content = RunLumiMap({run: LumiSet.from_bits(bits) for run, bits in reading.bits.items()})
    description = Description(
        _text_of(named[0], "Name") if named else "",
        _text_of(named[0], "Version") if named else VERSION,
        tuple(reading.metadata),
        {run: attributes for run, attributes in reading.attributes.items() if attributes and run in content},
    )
    return GrlFile(content, _with_layout(raw, content, description), tuple(reading.remarks))


def _text_of(node: Node, tag: str) -> str:
    found = node.all(tag)
    return found[0].text.strip() if found else ""


class _Reading:
    """What was gathered so far."""

    def __init__(self, length_of: LengthOf | None) -> None:
        self.length_of = length_of
        self.bits: dict[int, int] = {}
        self.attributes: dict[int, dict[str, str]] = {}
        self.metadata: list[Element] = []
        self.remarks: list[str] = []
        self.ignored: set[str] = set()

    def take(self, named: Node) -> None:
        for child in named.children:
            if child.tag == "LumiBlockCollection":
                self._take_run(child)
            elif child.tag == "Metadata":
                self.metadata.append(_element(child))
            elif child.tag not in ("Name", "Version"):
                self.ignore(child)

    def ignore(self, node: Node) -> None:
        if node.tag not in self.ignored:
            self.ignored.add(node.tag)
            self.remarks.append(f"Line {node.line}: <{node.tag[:60]}> is not part of a good-run list and was left out.")

    def _take_run(self, collection: Node) -> None:
        runs = collection.all("Run")
        if len(runs) != 1:
            raise FormatError(f"a LumiBlockCollection needs one <Run>, this one has {len(runs)}.", line=collection.line)
        run = _number(runs[0].text.strip(), "the run number", runs[0].line)
        self.attributes.setdefault(run, runs[0].attributes)
        bits = self.bits.get(run, 0)
        for child in collection.children:
            if child.tag == "LBRange":
                bits |= self._range(run, child).bits
            elif child.tag != "Run":
                self.ignore(child)
        self.bits[run] = bits
        try:
            RunLumiMap({run: LumiSet()})
        except LumiError as error:
            raise FormatError(str(error), line=runs[0].line) from None

    def _range(self, run: int, node: Node) -> LumiSet:
        if "Start" not in node.attributes:
            raise FormatError(f"run {run}: a range has no Start.", line=node.line)
        first = _number(node.attributes["Start"].strip(), f"run {run}: Start", node.line)
        end = node.attributes.get("End", "").strip()
        last = _number(end, f"run {run}: End", node.line) if end else None
        if last is None or last in OPEN_ENDS:
            last = self._last_of(run, first, node)
            if last < first:
                self.remarks.append(
                    f"Line {node.line}: run {run} ends before lumisection {first}; its open range is empty."
                )
                return LumiSet()
        try:
            return LumiSet.from_ranges([(first, last)])
        except LumiError as error:
            raise FormatError(f"run {run}: {error}", line=node.line) from None

    def _last_of(self, run: int, first: int, node: Node) -> int:
        last = self.length_of(run) if self.length_of is not None else None
        if not last:
            raise FormatError(
                f"run {run}: the range from {first} is open, and the length of this run is not known here. "
                "Import the run first, or write the End.",
                line=node.line,
            )
        return last


def _number(text: str, what: str, line: int) -> int:
    if not (text.isascii() and text.isdigit()):
        raise FormatError(f"{what} is “{text[:40]}”, which is no whole number.", line=line)
    if len(text.lstrip("0")) > 10:
        raise FormatError(
            f"{what} is {text[:20]}…, which is far too large; please check for a typing error.", line=line
        )
    return int(text)


def _element(node: Node) -> Element:
    children = tuple(_element(child) for child in node.children)
    text = "" if children and not node.text.strip() else node.text
    return Element(node.tag, node.attributes, text, children)


# -- writing


def write(content: RunLumiMap, description: Description) -> str:
    """The GRL XML of these runs, in the layout of the description or in the usual one (ascending)."""
    layout = description.layout or DEFAULT
    lines = [f"<{ROOT}>", f"{layout.indent}<NamedLumiRange>"]
    inner = layout.indent * 2
    lines += _lines(Element("Name", text=description.name), inner, layout)
    lines += _lines(Element("Version", text=description.version), inner, layout)
    for element in description.metadata:
        lines += _lines(element, inner, layout)
    for run in reversed(content.runs) if layout.descending else content.runs:
        lines += _run_lines(run, content[run], description.run_attributes.get(run, {}), layout)
    lines += [f"{layout.indent}</NamedLumiRange>", f"</{ROOT}>"]
    return layout.prolog + "\n".join(lines) + layout.end


def _run_lines(run: int, lumisections: LumiSet, attributes: Mapping[str, str], layout: Layout) -> Iterable[str]:
    outer, inner, quote = layout.indent * 2, layout.indent * 3, layout.quote
    yield f"{outer}<LumiBlockCollection>"
    yield f"{inner}<Run{_attributes(attributes, quote)}>{run}</Run>"
    for first, last in lumisections:
        yield f"{inner}<LBRange Start={quote}{first}{quote} End={quote}{last}{quote}/>"
    yield f"{outer}</LumiBlockCollection>"


def _lines(element: Element, indent: str, layout: Layout) -> Iterable[str]:
    start = f"{indent}<{element.tag}{_attributes(element.attributes, layout.quote)}"
    if not element.children and not element.text:
        yield f"{start}/>"
    elif not element.children:
        yield f"{start}>{_escape(element.text)}</{element.tag}>"
    else:
        yield f"{start}>{_escape(element.text)}"
        for child in element.children:
            yield from _lines(child, indent + layout.indent, layout)
        yield f"{indent}</{element.tag}>"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _attributes(attributes: Mapping[str, str], quote: str) -> str:
    mark = "&quot;" if quote == '"' else "&apos;"
    # A reader turns blank characters of an attribute into blanks unless they are written as references.
    blanks = {"\t": "&#9;", "\n": "&#10;"}
    pieces = []
    for name, value in attributes.items():
        text = _escape(value).replace(quote, mark)
        for character, reference in blanks.items():
            text = text.replace(character, reference)
        pieces.append(f" {name}={quote}{text}{quote}")
    return "".join(pieces)


def _with_layout(raw: bytes, content: RunLumiMap, description: Description) -> Description:
    """The description with the layout that repeats the file byte for byte, if it is a usual one."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return description
    root = re.search(rf"<{ROOT}>\n([ \t]*)<", text)
    if root is None or len(text) > LARGEST_TEXT:
        return description
    quote = "'" if "LBRange Start='" in text else '"'
    end = text[text.rfind(">") + 1 :]
    for descending in (False, True):
        found = replace(description, layout=Layout(text[: root.start()], root[1], quote, end, descending))
        if write(content, found) == text:
            return found
    return description
