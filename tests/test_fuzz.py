"""The fuzzer: it finds nothing in its first cases, and would find what is planted."""

import numpy as np
import pytest
import torch

from benchmarks import fuzz, fuzz_inputs
from benchmarks.fuzz import Case, Refused
from sklearn_task2box.models import PopularityModel


def test_nothing_is_found_in_the_first_cases():
    """As many as a few seconds allow; ``python -m benchmarks.fuzz`` runs more."""
    Case(0, 0).run()  # loads code
    found, counts = fuzz.run(0, range(10_000), seconds=5, verbose=False)
    assert [(case.repeat(), case.findings) for case in found] == []
    assert counts["cases"] >= 5
    assert counts["cases"] == counts["fitted"] + counts["refused"]


class Faulty(PopularityModel):
    """A model whose ``fault`` is planted."""

    def __init__(self, fault=None):
        self.fault = fault

    def fit(self, X, y=None):
        super().fit(X, y)
        if self.fault == "changes X":
            X[0, 0] += 1
        elif self.fault == "global state":
            np.random.seed(0)
        elif self.fault == "threads":
            torch.set_num_threads(torch.get_num_threads() + 1)
        elif self.fault == "bare error":
            np.zeros(2) @ np.zeros(3)
        elif self.fault == "other type":
            raise KeyError("This is a sentence, but of the wrong type.")
        elif self.fault == "warning":
            np.log(np.zeros(1))
        elif self.fault == "state":
            raise ValueError("This is a sentence that comes from no validation at all.")
        elif self.fault == "short":
            self.__dict__.clear()
            self.fault = "short"
            raise ValueError("No.")
        return self

    def _table(self, tasks, others):
        table = super()._table(tasks, others)
        return 2 * table + 0.1 if self.fault == "strengths" else table


FAULTS = {
    "changes X": "fit: inputs",
    "global state": "fit: global state",
    "threads": "fit: global state",
    "bare error": "fit: ValueError",
    "other type": "fit: KeyError",
    "warning": "fit: RuntimeWarning",
    "state": "fit: ValueError",
    "short": "fit: ValueError",
    "strengths": "pairwise_strengths",
    None: None,
}


@pytest.mark.parametrize(("fault", "kind"), FAULTS.items(), ids=str)
def test_a_planted_fault_is_found(fault, kind, monkeypatch):
    X = np.random.RandomState(0).normal(size=(6, 3))
    y = [(1, 0), (2, 0), (3, 1)]
    monkeypatch.setattr(fuzz_inputs, "model", lambda d: Faulty(fault))
    monkeypatch.setattr(fuzz_inputs, "features", lambda d, odd: (None, X.copy(), "plain"))
    monkeypatch.setattr(
        fuzz_inputs, "relations", lambda d, *more, **known: (y, None, "edges")
    )
    threads, state = torch.get_num_threads(), np.random.get_state()
    case = Case(0, 5).run()
    torch.set_num_threads(threads)
    np.random.set_state(state)
    if kind is None:
        assert case.findings == []
    else:
        assert any(found.startswith(kind) for found in case.kinds)


def test_a_refusal_that_changes_predictions_is_found():
    case = Case(0, 0)
    model = PopularityModel().fit(np.eye(4), [(0, 1)])
    before = np.eye(4), model.pairwise_strengths(np.eye(4)) / 2
    with pytest.raises(Refused):
        case._step("fit", lambda: model.fit(np.eye(4), []), model=model, before=before)
    assert case.kinds == ["fit: refused"]


def test_a_case_is_repeated_by_its_line():
    one, other = Case(3, 14).run(), Case(3, 14).run()
    assert (one.word, one.refused) == (other.word, other.refused)
    assert "Case(3, 14).run().show()" in one.repeat()
