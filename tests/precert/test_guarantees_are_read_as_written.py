"""What a manifest says of a guarantee, on a page; and what cannot be read promises nothing."""

from __future__ import annotations

from typing import Any

import pytest

from certifier.precert.guarantee import Guarantee, read_guarantee
from tests.precert import world


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return dict(world.model().guarantee_)


def test_it_says_what_is_promised_and_from_what(document: dict[str, Any]) -> None:
    guarantee = read_guarantee(document)
    assert (guarantee.certifies, guarantee.certifies_good, guarantee.runs) == (True, True, 16)
    pollution, loss = guarantee.sides
    assert (pollution.side, loss.side) == ("pollution", "loss")
    part = document["parts"][0]
    assert (pollution.bound, pollution.n_effective) == (part["pollution"]["bound"], part["pollution"]["n_effective"])
    assert pollution.decides == f"P(bad) below {part['t_good']:.3g}"
    assert loss.decides == f"P(bad) above {part['t_bad']:.3g}"
    assert guarantee.words == "Promises pollution below 6% at 90% confidence and loss below 4% at 90% confidence."


def test_a_refusal_is_told_in_the_words_of_the_policy() -> None:
    from mlcore.artifacts import read_manifest

    guarantee = read_guarantee(read_manifest(world.timid_folder()).guarantee)
    assert (guarantee.certifies, guarantee.promises) == (False, [])
    assert guarantee.words.startswith("No lumisection is called good automatically")
    assert all(side.decides == "" for side in guarantee.sides)


def changed(document: dict[str, Any], **side: Any) -> dict[str, Any]:
    part = document["parts"][0]
    return {**document, "parts": [{**part, "pollution": {**part["pollution"], **side}}]}


@pytest.mark.parametrize("broken", [{}, {"parts": None}, {"parts": [{}]}, {"parts": ["x"]}, {"parts": [[]]}, []])
def test_what_cannot_be_read_promises_nothing(broken: Any) -> None:
    assert read_guarantee(broken) == Guarantee()
    assert read_guarantee(broken).words == "The model states no guarantee: nothing is decided without a person."


@pytest.mark.parametrize("value", ["0.01", [], {}])
def test_a_promise_that_is_no_number_is_none(document: dict[str, Any], value: object) -> None:
    for name in ("limit", "threshold", "bound", "confidence"):
        assert not read_guarantee(changed(document, **{name: value})).certifies


def test_only_a_bound_on_pollution_lets_good_count(document: dict[str, Any]) -> None:
    guarantee = read_guarantee(changed(document, threshold=None, refusal="Too few."))
    assert (guarantee.certifies, guarantee.certifies_good) == (True, False)
