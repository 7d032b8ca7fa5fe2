"""What the run page reads of this room."""

from __future__ import annotations

import pytest
from django.http import QueryDict

from certifier.lumi import LumiSet
from certifier.runs import selectors, services
from certifier.runs.errors import RunNotFound

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _runs() -> None:
    services.put_runs(actor=None, runs=[{"run": 1}, {"run": 5, "lumisections": 4, "period": "K"}, {"run": 9}])
    columns = {"duration_s": [20, 20, 10], "delivered_inv_nb": [100, 200, None], "recorded_inv_nb": [90, 180, None]}
    services.put_lumisections(
        actor=None, run=5, columns={**columns, "pileup": [30, 50, None]}, flags={"stable_beams": "1-2"}
    )
    services.put_dataset(actor=None, run=5, name="b", stage="bulk")
    services.import_reference_runs(actor=None, references=[(5, 3)])


def test_it_gathers_everything(django_assert_max_num_queries: object) -> None:
    run = selectors.find_run(5)
    with django_assert_max_num_queries(6):  # type: ignore[operator]
        facts = selectors.run_facts(run)
    assert (facts.delivered_inv_nb, facts.recorded_inv_nb, facts.duration_s, facts.mean_pileup) == (300, 270, 50, 40)
    assert facts.efficiency == pytest.approx(0.9)
    assert facts.flags == {"stable_beams": LumiSet.parse("1-2")}
    assert [dataset.name for dataset in facts.datasets] == ["b"]
    assert (facts.reference_run, facts.previous, facts.next) == (3, 1, 9)


def test_it_says_where_nothing_is_known() -> None:
    facts = selectors.run_facts(selectors.find_run(9))
    assert (facts.delivered_inv_nb, facts.recorded_inv_nb, facts.duration_s, facts.mean_pileup) == (None,) * 4
    assert (facts.efficiency, facts.reference_run, facts.previous, facts.next) == (None, None, 5, None)


def test_it_gives_columns_of_the_whole_run() -> None:
    columns = selectors.strip_columns(selectors.find_run(5))
    assert columns["recorded_inv_nb"] == [90, 180, None, None]
    assert selectors.strip_columns(selectors.find_run(9))["pileup"] == []


def test_it_lists_runs_newest_first_with_their_totals(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(1):  # type: ignore[operator]
        runs = list(selectors.list_runs(QueryDict("")).qs)
        assert [run.number for run in runs] == [9, 5, 1]
        assert runs[1].profile.recorded_inv_nb == 270
    assert [run.number for run in selectors.list_runs(QueryDict("period=K")).qs] == [5]
    wrong = selectors.list_runs(QueryDict("fill=x"))
    assert not wrong.form.is_valid()


@pytest.mark.parametrize("number", [0, 2, -5, 2**31, 10**30])
def test_it_refuses_a_run_that_does_not_exist(number: int) -> None:
    with pytest.raises(RunNotFound, match="There is no run"):
        selectors.find_run(number)
