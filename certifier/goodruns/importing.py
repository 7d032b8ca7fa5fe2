"""From files to lists and to the documents that belong to them, as the import command takes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from certifier.accounts.models import User
from certifier.audit.unit import unit_of_work

from . import formats, services
from .formats import golden_json
from .formats.text import decode
from .lengths import length_of_run
from .models import GoodRunList, ListDocument

# What the group that made a list says about the making, for example X_cutflow_report.json beside X_grl.list.
DOCUMENT_ENDS = ("_cutflow_report",)
LIST_ENDS = ("", "_grl")


class NoListForDocument(services.ListRefused):
    """A document was given, and there is no list that it belongs to."""


@dataclass(frozen=True)
class Imported:
    """What became of a file: a list, or a document of one."""

    list_: GoodRunList
    changed: bool
    remarks: tuple[str, ...] = ()
    document: ListDocument | None = None


def is_document(file_name: str) -> bool:
    path = PurePath(file_name)
    return path.suffix == ".json" and path.stem.endswith(DOCUMENT_ENDS)


def import_file(*, actor: User | None, file_name: str, data: bytes, name: str = "") -> Imported:
    """Import one file, whole or not at all; the same file again changes nothing. `name` is that of the list, by default
    the file's own without its last suffix. A cut-flow report is attached to the list whose name begins alike.

    Raises FormatError naming the line, ListRefused, ListExists, NoListForDocument.
    """
    source = PurePath(file_name).name
    with unit_of_work(actor):
        if is_document(file_name):
            content = golden_json.load(decode(data)[0])
            document, new = services.attach_document(
                actor=actor, list_=_list_of_document(file_name, name), name=source, content=content
            )
            return Imported(document.list, new, document=document)
        file = formats.read(data, length_of_run())
        list_ = services.import_list(actor=actor, name=name or PurePath(file_name).stem, file=file, source=source)
    return Imported(list_, not list_.already_there, file.remarks)


def _list_of_document(file_name: str, name: str) -> GoodRunList:
    stem = PurePath(file_name).stem
    for end in DOCUMENT_ENDS:
        stem = stem.removesuffix(end)
    candidates = [name] if name else [stem + end for end in LIST_ENDS]
    for candidate in candidates:
        found = GoodRunList.objects.filter(name=candidate).first()
        if found is not None:
            return found
    raise NoListForDocument(
        f"This is a report about a list, and there is no list called {' or '.join(candidates)}. Import the list first, "
        "or name it with --name."
    )
