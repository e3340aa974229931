"""
Link prediction on a DAG of tasks
=================================

A platform team knows, for some pairs of its data sets, that one was drawn from the other:
a directed acyclic graph. Which other pairs of the catalogue are related in the same way?
The samples are ordered pairs of tasks, so scikit-learn's splitters, scorers and searches
work on them as they do on rows of a feature matrix.

The catalogue is drawn from the digit tasks that come with the package: an edge u -> v says
that every class of u is a class of v.
"""

import warnings

import networkx as nx
import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import classification_report
from sklearn.model_selection import cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_task2box import BoxRelationEmbedder, TaskLinkClassifier, TaskPairs
from sklearn_task2box.datasets import load_digits_tasks
from sklearn_task2box.models import ClosureModel, PopularityModel

# A few training pairs that boxes get wrong are no surprise here.
warnings.simplefilter("ignore", ConvergenceWarning)

# %%
# A networkx graph whose nodes are names; the index of the features names the same tasks.
# Of tasks with equal classes only the first goes into the graph, so that it has no cycle.
tasks = load_digits_tasks(as_frame=True)
distinct = ~tasks.relations.index.str.endswith(")")
X = tasks.data[distinct]
contained = tasks.relations.loc[distinct, distinct] == 1
graph = nx.from_pandas_adjacency(contained, create_using=nx.DiGraph)
graph.remove_edges_from(list(nx.selfloop_edges(graph)))
print(f"{graph}, a DAG: {nx.is_directed_acyclic_graph(graph)}")

# %%
# Ordered pairs and their labels: 1 where an edge leads from the first to the second.
pairs, y = TaskPairs.from_graph(graph, X, negatives="all", random_state=0)
print(f"{len(pairs)} ordered pairs, {y.mean():.1%} of them related")

# %%
# Unseen relations among known tasks, beside what the graph tells without any feature. With
# set_output, the names of the tasks pass through the scaler.
boxes = make_pipeline(StandardScaler(), BoxRelationEmbedder(random_state=0))
models = {
    "boxes": boxes.set_output(transform="pandas"),
    "closure": ClosureModel(),
    "popularity": PopularityModel(),
}
for name, model in models.items():
    scores = cross_validate(
        TaskLinkClassifier(model), pairs, y, cv=3, scoring=["average_precision", "roc_auc"]
    )
    precision, auc = scores["test_average_precision"], scores["test_roc_auc"]
    print(f"{name:>10}: AP {precision.mean():.3f}, ROC AUC {auc.mean():.3f}")

# %%
# Classes and probabilities, calibrated on folds of the training pairs.
train, test, y_train, y_test = train_test_split(pairs, y, stratify=y, random_state=0)
links = CalibratedClassifierCV(TaskLinkClassifier(models["boxes"]), cv=3)
links.fit(train, y_train)
print(classification_report(y_test, links.predict(test), target_names=["apart", "inside"]))

# %%
# The strongest links among the pairs that were held out.
proba = links.predict_proba(test)[:, 1]
for k in np.argsort(-proba, kind="stable")[:5]:
    u, v = X.index[test.pairs[k]]
    print(f"{proba[k]:.3f}  {u} -> {v}  ({'related' if y_test[k] else 'not related'})")
