"""TrainingDisplay: the loss and the held-out score of a fit, by epoch."""

from itertools import cycle

import numpy as np
import pandas as pd

from sklearn_task2box.display._inputs import fitted_model, set_axes
from sklearn_task2box.display._looks import COLOURS, add_legend, is_dark
from sklearn_task2box.utils._typing import Any, Axes, Labels, Self


class TrainingDisplay:
    """Draw the loss and the held-out score of a fit by epoch.

    Parameters
    ----------
    history : list of dict
        One per epoch, as ``history_`` of :class:`~sklearn_task2box.BoxRelationEmbedder`:
        "epoch", "train_loss" and, where relations were held out, "valid_score". Any other
        entry whose name ends in "_loss" is drawn beside "train_loss". NaN is left out.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of two Axes
        Where the losses are and, where there is one, the score below them.
    figure_ : matplotlib Figure
    lines_ : dict of str to Line2D
        The curve of each entry drawn.
    best_epoch_ : int or None
        First epoch of the best held-out score, which is marked; None without a score.

    Raises
    ------
    ValueError, NotFittedError
        If arguments are not usable, no epoch is there, or an estimator is not fitted.

    See Also
    --------
    BoxDisplay : The boxes that a fit ends with.

    Examples
    --------
    >>> from sklearn_task2box import BoxRelationEmbedder
    >>> from sklearn_task2box.datasets import load_digits_tasks
    >>> from sklearn_task2box.display import TrainingDisplay
    >>> X, relations = load_digits_tasks(return_X_y=True, as_frame=True)
    >>> embedder = BoxRelationEmbedder(max_epochs=30, random_state=0)
    >>> display = TrainingDisplay.from_estimator(embedder.fit(X, relations))
    >>> list(display.lines_)
    ['train_loss']
    """

    def __init__(self, history: Labels) -> None:
        history = list(history)
        if not history:
            raise ValueError(
                "history has no epochs, so there is nothing to draw (a fit with "
                "max_epochs=0 has none)."
            )
        for row in history:
            if not isinstance(row, dict) or not {"epoch", "train_loss"} <= set(row):
                raise ValueError(
                    "history must hold a dict for each epoch, with 'epoch' and "
                    f"'train_loss', as history_ of BoxRelationEmbedder; got {row!r}."
                )
        self.history = history

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes = None) -> Self:
        """Draw how the fit of an embedder went.

        Parameters
        ----------
        estimator : fitted BoxRelationEmbedder or DistilledBoxEmbedder
            Or a Pipeline or search that ends in one. ``early_stopping=True`` has a score.
        ax : matplotlib Axes or array-like of two Axes, default=None
            See :meth:`plot`.

        Returns
        -------
        display : TrainingDisplay
        """
        model, *_ = fitted_model(cls, estimator, attribute="history_")
        return cls(model.history_).plot(ax)

    def plot(self, ax: Axes = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of two Axes, default=None
            Where to draw; two where there is a held-out score. None makes a figure.

        Returns
        -------
        self : TrainingDisplay
        """
        rows = pd.DataFrame(self.history).set_index("epoch")
        losses = rows.filter(regex="_loss$").astype(float)
        score = rows.get("valid_score", pd.Series(np.nan, rows.index)).astype(float)
        scored = np.isfinite(score).any()
        what = "the loss and the held-out score" if scored else "the loss alone"
        size = (7.0, 5.8 if scored else 4.0)
        axes = set_axes(self, ax, 2 if scored else 1, what, sharex=True, figsize=size)
        colours = cycle((COLOURS[0], *COLOURS[2:]))  # COLOURS[1] is that of the score
        self.lines_ = {
            key: _draw_curve(axes[0], losses[key], next(colours)) for key in losses
        }
        known = losses.to_numpy()[np.isfinite(losses)]
        if known.size and known.max() > 20.0 * known.min() > 0:
            axes[0].set_yscale("log")
        axes[0].set_ylabel("training loss")
        if len(self.lines_) > 1:
            add_legend(axes[0], list(self.lines_.values()))
        self.best_epoch_ = None
        if scored:
            self.lines_["valid_score"] = _draw_curve(axes[1], score, COLOURS[1])
            best = score.where(np.isfinite(score)).argmax()
            self.best_epoch_, highest = int(score.index[best]), score.iloc[best]
            label = f"best: {highest:.3f} at epoch {self.best_epoch_}"
            dot = {"ms": 5, "color": COLOURS[1], "label": label}
            add_legend(axes[1], axes[1].plot(self.best_epoch_, highest, "o", **dot))
            axes[1].set_ylabel("held-out score")
        for axis in axes:
            axis.spines[["top", "right"]].set_visible(False)
            axis.grid(axis="y", color="#404040" if is_dark(axis) else "#E6E6E6", lw=0.6)
            axis.set_axisbelow(True)
        axes[-1].set_xlabel("epoch")
        axes[-1].xaxis.get_major_locator().set_params(integer=True)
        return self


def _draw_curve(ax, values, colour):
    # A single epoch has no line: a point then.
    marker = "o" if np.isfinite(values).sum() == 1 else None
    looks = {"lw": 1.4, "marker": marker, "label": values.name.replace("_", " ")}
    return ax.plot(values.index, values, color=colour, **looks)[0]
