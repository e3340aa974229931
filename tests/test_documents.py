"""The snippets of README, guide and first page run, and what documents state holds."""

import ast
import re
from pathlib import Path

import matplotlib.pyplot
import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("document", ["README.md", "docs/guide.md", "docs/index.md"])
def test_snippets_run(document, monkeypatch):
    monkeypatch.setattr(matplotlib.pyplot, "show", lambda: None)
    text = (ROOT / document).read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(snippets) >= 3
    names = {}
    for snippet in snippets:
        exec(compile(snippet, document, "exec"), names)
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("document", ["README.md", "docs/guide.md", "docs/benchmarks.md"])
def test_links_lead_somewhere(document):
    path = ROOT / document
    targets = re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
    assert targets
    for target in targets:
        assert target.startswith("http") or (path.parent / target).exists(), target


def test_the_readme_begins_with_the_two_commands():
    commands = re.findall(r"^(make \w+)", (ROOT / "README.md").read_text(), flags=re.M)
    assert commands[:2] == ["make demo", "make test"]


def test_imports_go_the_way_that_contributing_says():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    lines = re.findall(r"^  (\d)\. (.*(?:\n {5}.*)*)", text, flags=re.M)
    level = {n: int(i) for i, names in lines for n in re.findall(r"`(\w+)`", names)}
    package = ROOT / "sklearn_task2box"
    for path in package.rglob("*.py"):
        own = path.relative_to(package).parts[0].removesuffix(".py")
        if own.startswith("_"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom):
                continue
            root, *below = node.module.split(".")
            known = below[:1] or [name.name for name in node.names]
            for other in known if root == "sklearn_task2box" else []:
                assert other == own or level[other] < level[own], (path, other)
