"""Layers of a hierarchy: which task stands in which, in which order, and where."""

from bisect import bisect_right, insort
from itertools import pairwise

import networkx as nx
import numpy as np
from sklearn.isotonic import isotonic_regression

BEND, SWEEPS = 0.5, 16  # width of a bend beside that of a task, and passes over the layers


class Layers:
    """Layered drawing of an acyclic graph, as by Sugiyama et al. (1981).

    A relation over several layers is a chain of bends, one per layer between: ``chains`` by
    container and member. ``level`` is the layer of each task that has relations, ``order``
    the tasks and bends of each layer, ``rows`` its tasks (of ``n_layers``) and then those
    without relations, and ``x`` the places, from ``left`` to ``right``, of tasks and bends.
    """

    def __init__(self, graph, n_members):
        linked = [i for i in graph if graph.degree(i)]
        downwards = nx.DiGraph(graph.subgraph(linked)).reverse()
        generations = nx.topological_generations(downwards)
        self.level = {i: k for k, layer in enumerate(generations) for i in layer}
        self.chains, links = {}, nx.DiGraph()
        for top, bottom in downwards.edges:
            levels = range(self.level[top] + 1, self.level[bottom])
            self.chains[top, bottom] = bends = [(top, bottom, k) for k in levels]
            nx.add_path(links, [top, *bends, bottom])
        self.order = self._ordered(links, n_members)
        self.x = self._across(links)
        self.rows = [[i for i in row if i in self.level] for row in self.order]
        self.n_layers = len(self.rows)
        places = list(self.x.values()) or [0.0]
        self.left, self.right = min(places) - 0.7, max(places) + 0.7
        self._set_apart([i for i in graph if not graph.degree(i)])

    def _ordered(self, links, n_members):
        """Layers ordered by barycentres, with the fewest crossings found."""
        roots = [i for i, level in self.level.items() if level == 0]
        seen = {}
        for root in sorted(roots, key=lambda i: (-n_members[i], i)):
            seen.update(dict.fromkeys(nx.dfs_preorder_nodes(links, root)))
        rows = [[] for _ in range(max(self.level.values(), default=-1) + 1)]
        for node in seen:
            rows[self.level[node] if node in self.level else node[2]].append(node)
        best, fewest = rows, _n_crossings(rows, links)
        place = {node: p for row in rows for p, node in enumerate(row)}
        for near, layers in _sweeps(links, len(rows)):
            if not fewest:
                break
            rows = list(rows)
            for k in layers:
                centres = {i: _mean_place(i, near, place) for i in rows[k]}
                rows[k] = sorted(rows[k], key=centres.get)
                place.update((node, p) for p, node in enumerate(rows[k]))
            crossings = _n_crossings(rows, links)
            if crossings < fewest:
                best, fewest = rows, crossings
        return best

    def _across(self, links):
        """Places near those of the neighbours above and below, the order being kept."""
        x, offsets = {}, []
        size = {node: 1.0 if node in self.level else BEND for node in links}
        sizes = [np.array([size[node] for node in row]) for row in self.order]
        widest = max(map(sum, sizes), default=0.0)
        for row, widths in zip(self.order, sizes, strict=True):
            # Sparse rows take the room that the widest one leaves.
            widths = widths * np.clip(0.7 * widest / widths.sum(), 1.0, 8.0)
            offset = np.append(0, np.cumsum(widths[:-1] + widths[1:]) / 2)
            offsets.append(offset)
            x.update(zip(row, offset - offset[-1] / 2, strict=True))
        for near, layers in _sweeps(links, len(self.order)):
            for k in layers:
                row = self.order[k]
                goals = np.array([_mean_place(i, near, x) for i in row])
                # Bends rather than tasks keep their place: straight lines.
                weight = [1.0 if i in self.level else 4.0 for i in row]
                moved = isotonic_regression(goals - offsets[k], sample_weight=weight)
                x.update(zip(row, moved + offsets[k], strict=True))
        return x

    def _set_apart(self, nodes):
        """Add rows of the tasks without relations, below all layers."""
        if not nodes:
            return
        most = max(12, int(self.right - self.left))
        apart = [list(row) for row in np.array_split(nodes, -(-len(nodes) // most))]
        if not self.rows:
            self.left, self.right = 0.0, float(len(apart[0]))
        step = (self.right - self.left) / len(apart[0])
        for row in apart:
            self.x.update((i, self.left + step * (k + 0.5)) for k, i in enumerate(row))
        self.rows += apart

    def figure_size(self, names, legend):
        """Size, in inches, in which labels are legible."""
        width = np.clip(0.17 * (self.right - self.left), 7.0, 18.0) + 1.4 * legend
        label = min(max(map(len, names)) * 0.065, 1.6)
        return width, np.clip((label + 0.45) * len(self.rows), 3.0, 18.0)


def _sweeps(links, n_layers):
    """Passes over the layers, down and up in turn, and the neighbours that they follow."""
    down, up = range(n_layers), range(n_layers - 1, -1, -1)
    return [(links.predecessors, down), (links.successors, up)] * (SWEEPS // 2)


def _mean_place(node, near, place):
    return np.mean([place[other] for other in near(node)] or [place[node]])


def _n_crossings(rows, links):
    total = 0
    for above, below in pairwise(rows):
        place = {node: p for p, node in enumerate(below)}
        seen = []
        for node in above:
            for p in sorted(place[member] for member in links.successors(node)):
                total += len(seen) - bisect_right(seen, p)
                insort(seen, p)
    return total
