"""TrainingDisplay: curves of a history, and errors for bad input."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sklearn_task2box.display import TrainingDisplay


def test_curves_are_those_of_history(embedder):
    display = TrainingDisplay.from_estimator(embedder)
    for key in ("train_loss", "valid_score"):
        x, y = display.lines_[key].get_data()
        np.testing.assert_array_equal(x, np.arange(1, embedder.n_iter_ + 1))
        np.testing.assert_array_equal(y, [row[key] for row in embedder.history_])
    assert display.lines_["train_loss"].axes is display.ax_[0]
    assert display.lines_["valid_score"].axes is display.ax_[1]
    assert display.ax_[0].get_ylabel() == "training loss"
    assert display.ax_[1].get_ylabel() == "held-out score"
    assert display.ax_[1].get_xlabel() == "epoch"
    scores = [row["valid_score"] for row in embedder.history_]
    assert display.best_epoch_ == 1 + np.argmax(scores)


@pytest.mark.parametrize("fixture", ["pipeline", "distilled"])
def test_without_a_held_out_score(fixture, request):
    display = TrainingDisplay.from_estimator(request.getfixturevalue(fixture))
    assert isinstance(display.ax_, plt.Axes)
    assert display.figure_ is display.ax_.figure
    assert "train_loss" in display.lines_
    assert "valid_score" not in display.lines_
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


def test_given_axes(embedder):
    _, axes = plt.subplots(2)
    display = TrainingDisplay.from_estimator(embedder, ax=axes)
    assert display.ax_.tolist() == axes.tolist()
    with pytest.raises(
        ValueError, match="2 Axes, for the loss and the held-out score; got 1. Pass 2"
    ):
        TrainingDisplay.from_estimator(embedder, ax=axes[0])
    with pytest.raises(ValueError, match="1 Axes, for the loss alone; got 2"):
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
