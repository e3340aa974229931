"""Snippets of the documentation page on representations."""

import re
from pathlib import Path

import pytest
import torch

PAGE = Path(__file__).parents[2] / "docs" / "representations.md"


@pytest.mark.slow
def test_snippets_run(capsys):
    snippets = re.findall(
        r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert len(snippets) >= 5
    names = {}
    with torch.random.fork_rng():
        for snippet in snippets:
            exec(compile(snippet, PAGE.name, "exec"), names)
    assert "tags:digits" in capsys.readouterr().out
