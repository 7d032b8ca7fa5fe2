"""From an object of mlcore to JSON, arrays, tensors and estimators, and back, without running what was stored."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from mlcore.errors import ArtifactIncompatible, ArtifactUnsafe

DEPTH = 60
PLAIN = (bool, int, str)
STORED_KINDS = "biufcUSMm"


@dataclass
class Parts:
    """What does not fit into JSON, by key; and classes that are allowed beside those of mlcore, by name."""

    arrays: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    tensors: dict[str, Any] = field(default_factory=dict)
    estimators: dict[str, Any] = field(default_factory=dict)
    classes: dict[str, type] = field(default_factory=dict)


def encode(value: Any, parts: Parts, where: str = "model", depth: int = 0) -> Any:
    """JSON of a value; arrays, tensors and scikit-learn estimators go into `parts`.

    Raises ArtifactUnsafe for what could not be loaded without running stored code: functions, foreign classes.
    """
    if depth > DEPTH:
        raise ArtifactUnsafe(f"{where}: nested more than {DEPTH} deep, or an object that contains itself.")
    if value is None or type(value) in PLAIN:
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"$": "float", "value": repr(value)}
    if class_name(type(value)) in parts.classes:
        return _ours(value, parts, where, depth + 1)
    for matches, encoder in ENCODERS:
        if matches(value):
            return encoder(value, parts, where, depth + 1)
    raise ArtifactUnsafe(
        f"{where} is a {type(value).__module__}.{type(value).__qualname__}, which cannot be stored safely; "
        "let its owner offer to_state() and from_state() made of numbers, text and arrays."
    )


def _array(value: Any, parts: Parts, where: str, depth: int) -> Any:
    content = np.asarray(value)
    if content.dtype.kind not in STORED_KINDS:
        if content.dtype == object:
            flat = [encode(item, parts, where, depth) for item in content.ravel().tolist()]
            return {"$": "objects", "shape": list(content.shape), "items": flat}
        raise ArtifactUnsafe(f"{where}: an array of {content.dtype} cannot be stored.")
    key = f"a{len(parts.arrays)}"
    parts.arrays[key] = content
    return {"$": "array" if isinstance(value, np.ndarray) else "number", "key": key}


def _sequence(value: Any, parts: Parts, where: str, depth: int) -> Any:
    items = [encode(item, parts, f"{where}[{place}]", depth) for place, item in enumerate(value)]
    return items if type(value) is list else {"$": type(value).__name__, "items": items}


def _mapping(value: Any, parts: Parts, where: str, depth: int) -> Any:
    if all(type(key) is str and key != "$" for key in value):
        return {key: encode(item, parts, f"{where}.{key}", depth) for key, item in value.items()}
    pairs = [
        [encode(key, parts, where, depth), encode(item, parts, f"{where}[{key!r}]", depth)]
        for key, item in value.items()
    ]
    return {"$": "dict", "items": pairs}


def _dtype(value: Any, parts: Parts, where: str, depth: int) -> Any:
    return {"$": "dtype", "name": value.str}


def _slice(value: Any, parts: Parts, where: str, depth: int) -> Any:
    return {
        "$": "slice",
        "items": [encode(item, parts, where, depth) for item in (value.start, value.stop, value.step)],
    }


def _tensor(value: Any, parts: Parts, where: str, depth: int) -> Any:
    key = f"t{len(parts.tensors)}"
    parts.tensors[key] = value.detach().cpu().contiguous().clone()
    return {"$": "tensor", "key": key}


def _estimator(value: Any, parts: Parts, where: str, depth: int) -> Any:
    key = f"estimator-{len(parts.estimators)}"
    parts.estimators[key] = value
    return {"$": "estimator", "key": key}


def _ours(value: Any, parts: Parts, where: str, depth: int) -> Any:
    """An instance of a class of mlcore: its hooks, or its attributes."""
    name = f"{where} ({type(value).__name__})"
    if hasattr(value, "to_state"):
        attributes = value.get_params(deep=False) if isinstance(value, BaseEstimator) else {}
        state = encode(value.to_state(), parts, name, depth)
        return {
            "$": "object",
            "class": class_name(type(value)),
            "attributes": encode(attributes, parts, name, depth),
            "state": state,
        }
    if is_dataclass(value):
        attributes = {column.name: getattr(value, column.name) for column in fields(value)}
        attributes.update(getattr(value, "__dict__", {}))
    else:
        attributes = dict(vars(value))
    return {"$": "object", "class": class_name(type(value)), "attributes": _mapping(attributes, parts, name, depth)}


def class_name(cls: type) -> str:
    """`module:qualname`."""
    return f"{cls.__module__}:{cls.__qualname__}"


def _is_of(package: str) -> Callable[[Any], bool]:
    return lambda value: type(value).__module__.split(".")[0] == package


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _is_ours(value: Any) -> bool:
    return _is_of("mlcore")(value) and not _is_module(value)


def _is_module(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


ENCODERS: list[tuple[Callable[[Any], bool], Callable[[Any, Parts, str, int], Any]]] = [
    (lambda value: isinstance(value, np.ndarray | np.generic), _array),
    (lambda value: type(value) in (list, tuple, set, frozenset), _sequence),
    (lambda value: isinstance(value, dict), _mapping),
    (lambda value: isinstance(value, np.dtype), _dtype),
    (lambda value: isinstance(value, slice), _slice),
    (_is_tensor, _tensor),
    (lambda value: _is_of("sklearn")(value) and isinstance(value, BaseEstimator), _estimator),
    (_is_ours, _ours),
]


def decode(stored: Any, parts: Parts) -> Any:
    """The value of `encode`. Raises ArtifactUnsafe for foreign classes, ArtifactIncompatible for unknown ones."""
    if isinstance(stored, list):
        return [decode(item, parts) for item in stored]
    if not isinstance(stored, dict):
        return stored
    if "$" not in stored:
        return {key: decode(item, parts) for key, item in stored.items()}
    decoder = DECODERS.get(stored["$"])
    if decoder is None:
        raise ArtifactIncompatible(f"the artifact holds a {stored['$']!r}, which this version does not know.")
    return decoder(stored, parts)


def _read_float(stored: Any, parts: Parts) -> float:
    return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[stored["value"]]


def _read_objects(stored: Any, parts: Parts) -> npt.NDArray[Any]:
    flat = np.empty(len(stored["items"]), dtype=object)
    for place, item in enumerate(stored["items"]):
        flat[place] = decode(item, parts)
    return flat.reshape(stored["shape"])


def _read_class(name: str, parts: Parts) -> type:
    """A class of mlcore by `module:qualname`. Nothing but modules of mlcore is ever imported."""
    if name in parts.classes:
        return parts.classes[name]
    module_name, _, qualified = name.partition(":")
    if module_name.split(".")[0] != "mlcore" or not all(part.isidentifier() for part in module_name.split(".")):
        raise ArtifactUnsafe(f"the artifact names the class {name}; only classes of mlcore are loaded.")
    if "__main__" in module_name:
        raise ArtifactUnsafe(f"the artifact names the program {module_name}; only classes of mlcore are loaded.")
    try:
        found: Any = importlib.import_module(module_name)
        for part in qualified.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        raise ArtifactIncompatible(f"there is no {name} in this version of mlcore; train the model again.") from None
    if not isinstance(found, type) or found.__module__ != module_name or found.__qualname__ != qualified:
        raise ArtifactUnsafe(f"{name} is not a class of mlcore.")
    return found


def _read_object(stored: Any, parts: Parts) -> Any:
    cls = _read_class(stored["class"], parts)
    attributes = decode(stored["attributes"], parts)
    made: Any = object.__new__(cls)
    for name, value in attributes.items():
        if not name.isidentifier() or name.startswith("__"):
            raise ArtifactUnsafe(f"{stored['class']} with an attribute {name!r} is not what mlcore stores.")
        object.__setattr__(made, name, value)
    if "state" in stored:
        from_state = getattr(cls, "from_state", None)
        if from_state is None:
            raise ArtifactIncompatible(f"{stored['class']} does not read a stored state; train the model again.")
        from_state(made, decode(stored["state"], parts))
    return made


DECODERS: dict[str, Callable[[Any, Parts], Any]] = {
    "float": _read_float,
    "array": lambda stored, parts: parts.arrays[stored["key"]],
    "number": lambda stored, parts: parts.arrays[stored["key"]][()],
    "objects": _read_objects,
    "tuple": lambda stored, parts: tuple(decode(stored["items"], parts)),
    "set": lambda stored, parts: set(decode(stored["items"], parts)),
    "frozenset": lambda stored, parts: frozenset(decode(stored["items"], parts)),
    "dict": lambda stored, parts: {decode(key, parts): decode(item, parts) for key, item in stored["items"]},
    "dtype": lambda stored, parts: np.dtype(stored["name"]),
    "slice": lambda stored, parts: slice(*decode(stored["items"], parts)),
    "tensor": lambda stored, parts: parts.tensors[stored["key"]],
    "estimator": lambda stored, parts: parts.estimators[stored["key"]],
    "object": _read_object,
}
