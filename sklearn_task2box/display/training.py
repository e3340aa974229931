"""How a fit went, as a picture."""

import numpy as np

from sklearn_task2box.display.common import COLOURS, import_pyplot, split

# From this ratio of the largest to the smallest loss on, its axis is logarithmic.
_WIDE = 20.0


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
        The figure around them.
    lines_ : dict of str to Line2D
        The curve of each entry drawn.
    best_epoch_ : int or None
        The epoch of the best held-out score, the first of equal ones, which is marked.
        None where there is no score.

    See Also
    --------
    TrainingDisplay.from_estimator : Draw how the fit of an embedder went.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn_task2box.display import TrainingDisplay
    >>> history = [
    ...     {"epoch": 1, "train_loss": 0.9, "valid_score": 0.2},
    ...     {"epoch": 2, "train_loss": 0.5, "valid_score": 0.7},
    ...     {"epoch": 3, "train_loss": 0.4, "valid_score": 0.6},
    ... ]
    >>> display = TrainingDisplay(history).plot()
    >>> display.best_epoch_
    2
    >>> plt.close(display.figure_)
    """

    def __init__(self, history):
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
    def from_estimator(cls, estimator, *, ax=None):
        """Draw how the fit of an embedder went.

        Parameters
        ----------
        estimator : BoxRelationEmbedder, or Pipeline or search that ends in one
            Fitted. Its held-out score is recorded with ``early_stopping=True``.
        ax : matplotlib Axes or array-like of two Axes, default=None
            Where to draw; two where there is a held-out score. None makes a figure.

        Returns
        -------
        display : TrainingDisplay

        Raises
        ------
        ValueError
            If a parameter is not usable, or the fit had no epochs.
        NotFittedError
            If the estimator is not fitted.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn_task2box import BoxRelationEmbedder
        >>> from sklearn_task2box.datasets import load_digits_tasks
        >>> from sklearn_task2box.display import TrainingDisplay
        >>> X, relations = load_digits_tasks(return_X_y=True, as_frame=True)
        >>> embedder = BoxRelationEmbedder(max_epochs=30, random_state=0)
        >>> display = TrainingDisplay.from_estimator(embedder.fit(X, relations))
        >>> list(display.lines_)
        ['train_loss']
        >>> plt.close(display.figure_)
        """
        import_pyplot(cls)
        embedder, _, _ = split(estimator, None)
        return cls(embedder.history_).plot(ax)

    def plot(self, ax=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of two Axes, default=None
            Where to draw; two where there is a held-out score. None makes a figure.

        Returns
        -------
        display : TrainingDisplay
            This object.

        Raises
        ------
        ValueError
            If the number of Axes is wrong.
        ImportError
            If matplotlib is not installed.
        """
        plt = import_pyplot(type(self))
        epochs = np.array([row["epoch"] for row in self.history])
        keys = dict.fromkeys(key for row in self.history for key in row)
        curves = {
            key: np.array([row.get(key, np.nan) for row in self.history], dtype=float)
            for key in keys
            if key.endswith("_loss") or key == "valid_score"
        }
        score = curves.pop("valid_score", np.full(len(epochs), np.nan))
        scored = np.isfinite(score).any()
        axes = self._axes(plt, ax, 2 if scored else 1)
        self.lines_ = {}
        for colour, (key, curve) in zip(_cycle(len(curves)), curves.items(), strict=True):
            self.lines_[key] = _curve(axes[0], epochs, curve, colour, key)
        known = np.concatenate([curve[np.isfinite(curve)] for curve in curves.values()])
        if known.size and known.min() > 0 and known.max() > _WIDE * known.min():
            axes[0].set_yscale("log")
        axes[0].set_ylabel("training loss")
        if len(curves) > 1:
            axes[0].legend(fontsize=8, frameon=False)
        self.best_epoch_ = None
        if scored:
            best = int(np.nanargmax(np.where(np.isfinite(score), score, np.nan)))
            self.best_epoch_ = int(epochs[best])
            colour = COLOURS[1]
            self.lines_["valid_score"] = _curve(
                axes[1], epochs, score, colour, "valid_score"
            )
            label = f"best: {score[best]:.3f} at epoch {epochs[best]}"
            axes[1].plot(epochs[best], score[best], "o", ms=5, color=colour, label=label)
            axes[1].set_ylabel("held-out score")
            handles, names = axes[1].get_legend_handles_labels()
            axes[1].legend(handles[1:], names[1:], fontsize=8, frameon=False)
        for axis in axes:
            axis.spines[["top", "right"]].set_visible(False)
            axis.grid(axis="y", color="#E6E6E6", lw=0.6)
            axis.set_axisbelow(True)
        axes[-1].set_xlabel("epoch")
        axes[-1].xaxis.get_major_locator().set_params(integer=True)
        self.ax_ = axes[0] if len(axes) == 1 else axes
        self.figure_ = axes[0].figure
        return self

    def _axes(self, plt, ax, n):
        if ax is None:
            _, axes = plt.subplots(
                n,
                1,
                figsize=(7.0, 2.2 + 1.8 * n),
                sharex=True,
                squeeze=False,
                layout="constrained",
            )
            return axes.ravel()
        axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
        if len(axes) != n:
            what = (
                "a loss and a held-out score" if n == 2 else "a loss and no held-out score"
            )
            raise ValueError(
                f"This history has {what}, which take {n} Axes; got {len(axes)}. Pass "
                f"{n}, or ax=None."
            )
        return axes


def _cycle(n):
    """So many colours, without that of the score."""
    colours = (COLOURS[0], *COLOURS[2:])
    return [colours[k % len(colours)] for k in range(n)]


def _curve(ax, epochs, values, colour, label):
    # A single epoch has no line: a point then.
    marker = "o" if np.isfinite(values).sum() == 1 else None
    name = label.replace("_", " ")
    return ax.plot(epochs, values, color=colour, lw=1.4, marker=marker, label=name)[0]
