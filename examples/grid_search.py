"""
Grid search over tasks and over relations
=========================================

Two questions, two ways to cut the data. *How well are new tasks related?* Then tasks are
the samples, and a fold holds out tasks with all their relations. *How well are unseen
relations among known tasks predicted?* Then ordered pairs of tasks are the samples. Both
are plain GridSearchCV.
"""

import warnings

import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_task2box import BoxRelationEmbedder, TaskLinkClassifier, TaskPairs
from sklearn_task2box.datasets import load_digits_tasks
from sklearn_task2box.metrics import make_relation_scorer

# A few training pairs that boxes get wrong are no surprise here.
warnings.simplefilter("ignore", ConvergenceWarning)

tasks = load_digits_tasks(n_tasks=60, as_frame=True)
X, contained = tasks.data, (tasks.relations == 1).astype(float)

# The names of the tasks are the index of X: set_output keeps it on its way through the
# scaler, so that the embedder can tell which relation is whose.
pipeline = make_pipeline(
    StandardScaler(), BoxRelationEmbedder(max_epochs=100, random_state=0)
).set_output(transform="pandas")


def show(search, parameter):
    """Print the mean and the spread of the score for each value tried."""
    results = pd.DataFrame(search.cv_results_)
    columns = [f"param_{parameter}", "mean_test_score", "std_test_score", "mean_fit_time"]
    print(results[columns].round(3).to_string(index=False))
    print(f"best: {search.best_params_}\n")


# %%
# Over tasks. A labelled square DataFrame survives every splitter: a slice keeps the chosen
# tasks as its rows, and still has the others as its columns.
print("New tasks: average precision of their relations, by the dimension of the boxes")
search = GridSearchCV(
    pipeline,
    {"boxrelationembedder__box_dim": [2, 5, 10]},
    scoring=make_relation_scorer("average_precision"),
    cv=3,
    n_jobs=2,
)
search.fit(X, contained)
show(search, "boxrelationembedder__box_dim")

# %%
# Over relations. Any of scikit-learn's string scorers does.
print("Unseen relations: average precision, by the dimension of the boxes")
pairs, y = TaskPairs.from_graph(contained, X, random_state=0)
search = GridSearchCV(
    TaskLinkClassifier(pipeline),
    {"embedder__boxrelationembedder__box_dim": [2, 5, 10]},
    scoring="average_precision",
    cv=3,
    n_jobs=2,
)
search.fit(pairs, y)
show(search, "embedder__boxrelationembedder__box_dim")
