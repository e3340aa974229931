"""Curves of a fit: what is drawn of a history, and what bad input is answered."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_task2box import BoxRelationEmbedder
from sklearn_task2box.display import TrainingDisplay


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fitted(named_taxonomy):
    X, graph = named_taxonomy
    embedder = BoxRelationEmbedder(
        box_dim=2, max_epochs=12, early_stopping=True, random_state=0
    )
    return embedder.fit(X, graph)


def test_curves_are_those_of_history(fitted):
    display = TrainingDisplay.from_estimator(fitted)
    for key in ("train_loss", "valid_score"):
        x, y = display.lines_[key].get_data()
        np.testing.assert_array_equal(x, np.arange(1, fitted.n_iter_ + 1))
        np.testing.assert_array_equal(y, [row[key] for row in fitted.history_])
    assert display.lines_["train_loss"].axes is display.ax_[0]
    assert display.lines_["valid_score"].axes is display.ax_[1]
    assert display.ax_[0].get_ylabel() == "training loss"
    assert display.ax_[1].get_ylabel() == "held-out score"
    assert display.ax_[1].get_xlabel() == "epoch"
    scores = [row["valid_score"] for row in fitted.history_]
    assert display.best_epoch_ == 1 + np.argmax(scores)


def test_without_a_held_out_score(named_taxonomy):
    X, graph = named_taxonomy
    embedder = BoxRelationEmbedder(box_dim=2, max_epochs=3, random_state=0)
    pipeline = make_pipeline(StandardScaler(), embedder).fit(
        X.to_numpy(), nx.to_numpy_array(graph)
    )
    display = TrainingDisplay.from_estimator(pipeline)
    assert isinstance(display.ax_, plt.Axes)
    assert display.figure_ is display.ax_.figure
    assert list(display.lines_) == ["train_loss"]
    assert display.best_epoch_ is None


def test_further_losses_gaps_and_scales():
    history = [
        {"epoch": k, "train_loss": 100.0 / k**2, "pair_loss": 1.0, "dur": 9.0}
        for k in range(1, 12)
    ]
    history[4]["valid_score"] = 0.5
    history[5]["valid_score"] = np.nan
    display = TrainingDisplay(history).plot()
    assert set(display.lines_) == {"train_loss", "pair_loss", "valid_score"}
    assert display.ax_[0].get_yscale() == "log"
    assert display.best_epoch_ == 5
    legend = [text.get_text() for text in display.ax_[0].get_legend().get_texts()]
    assert legend == ["train loss", "pair loss"]
    even = TrainingDisplay([{"epoch": 1, "train_loss": 1.0}]).plot()
    assert even.ax_.get_yscale() == "linear"
    assert even.lines_["train_loss"].get_marker() == "o"


def test_given_axes(fitted):
    _, axes = plt.subplots(2)
    display = TrainingDisplay.from_estimator(fitted, ax=axes)
    assert display.ax_.tolist() == axes.tolist()
    with pytest.raises(ValueError, match="take 2 Axes; got 1. Pass 2"):
        TrainingDisplay.from_estimator(fitted, ax=axes[0])
    with pytest.raises(ValueError, match="no held-out score, which take 1 Axes; got 2"):
        TrainingDisplay([{"epoch": 1, "train_loss": 1.0}]).plot(axes)


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ([], "no epochs"),
        ([{"epoch": 1}], "with 'epoch' and 'train_loss'.*got {'epoch': 1}"),
        ([0.5, 0.4], "got 0.5"),
    ],
)
def test_bad_history(history, message):
    with pytest.raises(ValueError, match=message):
        TrainingDisplay(history)


def test_bad_estimators(named_taxonomy):
    with pytest.raises(NotFittedError):
        TrainingDisplay.from_estimator(BoxRelationEmbedder())
    with pytest.raises(ValueError, match="got StandardScaler"):
        TrainingDisplay.from_estimator(StandardScaler())
    X, graph = named_taxonomy
    laid_out = BoxRelationEmbedder(
        box_dim=2, init="layout", max_epochs=0, random_state=0
    ).fit(X, graph)
    with pytest.raises(ValueError, match="no epochs.*max_epochs=0"):
        TrainingDisplay.from_estimator(laid_out)
