"""Elements of one bin are numbers per lumisection: columns of one table, which no detector of shapes looks at."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore.conditions import Conditions
from mlcore.errors import ShapeError, TooFewData
from mlcore.features import quantities
from mlcore.histograms import Axis, HistogramBlock
from mlcore.pipeline import SystemConfig, train
from mlcore.pipeline.inputs import spoken
from mlcore.simulate.trigger_runs import RateRuns, as_elements, rate_runs

RATES = {"detectors": [{"name": "rates", "quantities": True}], "classifier": "none", "refresh": 0, "folds": 2, "gap": 0}


@pytest.fixture(scope="module")
def drawn() -> RateRuns:
    return rate_runs(4, runs=18, length=20)


def test_prescales_find_the_rates_they_belong_to(drawn: RateRuns) -> None:
    elements = as_elements(drawn.table)
    table = quantities(elements)
    assert table.names[0] == "Trigger/L1_EM22VHI"
    assert "prescale:Trigger/L1_EM3" in table.names
    assert "prescale:Trigger/L1_MU20" not in table.names  # always 1
    column = {name: place for place, name in enumerate(table.names)}
    given = drawn.table.names.index("prescale:L1_EM3")
    assert np.array_equal(table.values[:, column["prescale:Trigger/L1_EM3"]], drawn.table.values[:, given])
    groups = dict(zip(table.names, table.groups, strict=True))
    assert groups["Trigger/HLT_e5_etcut"] == groups["prescale:Trigger/HLT_e5_etcut"] == "L1_EM3"


def test_what_has_a_shape_or_other_lumisections_is_no_quantity(drawn: RateRuns) -> None:
    first, second = as_elements(drawn.table)[:2]
    shape = HistogramBlock("A/b", (Axis.regular("x", 2, 0, 1),), np.ones((3, 2)), Conditions.plain(3))
    with pytest.raises(ShapeError, match="A/b: a quantity is a histogram of one bin"):
        quantities([shape])
    with pytest.raises(ShapeError, match="align them first"):
        quantities([first, second.select(slice(1, None))])
    with pytest.raises(ShapeError, match="no quantity"):
        quantities([])


def test_a_model_looks_at_all_of_them_at_once_and_says_which_is_odd(drawn: RateRuns) -> None:
    elements = as_elements(drawn.table)
    config = SystemConfig.from_json(RATES)
    assert SystemConfig.from_json(config.as_json()) == config
    model = train(elements, drawn.labels, config)
    (member,) = model.layer_.members
    assert member.group == spoken(member.element)
    assert spoken(member.element).endswith(f" and {len(elements) - 2} more")
    wrong, run = 3, drawn.table.conditions.run == 400_017
    late = [block.select(run) for block in elements]
    counts = late[wrong].counts.copy()
    counts[14:] *= 3.0
    late[wrong] = HistogramBlock(
        late[wrong].element, late[wrong].axes, counts, late[wrong].conditions, physics_object=late[wrong].physics_object
    )
    backwards = [block.select(np.arange(20)[::-1]) for block in late]
    for row, answer in ((16, model.score(late)), (3, model.score(backwards))):
        odd = answer.odd_elements(row)
        assert odd[0].element == late[wrong].element
        assert odd[0].group == late[wrong].physics_object
        assert odd[0].score > 3.0


def test_the_standard_detectors_leave_them_alone(drawn: RateRuns) -> None:
    with pytest.raises(TooFewData, match="no detector could be fitted"):
        train(as_elements(drawn.table), drawn.labels, SystemConfig(classifier="none", gap=0))
