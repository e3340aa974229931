"""The snippets of README, guide and first page run, and what documents state holds."""

import ast
import re
from functools import cache
from pathlib import Path

import matplotlib.pyplot
import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
)
# A newcomer greps for the terms of the field: see the words in CONTRIBUTING.
WORDS = re.compile(
    r"\b(teachers|opinions?|lessons?|school|panel|rehears(e|al)|twins?|virtual tasks?"
    r"|roles|baselines|said|heard|told|marks?|going on|placement(?!_))\b",
    re.IGNORECASE,
)


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def texts_of_package():
    """String literals of the package, each with its f-strings cut at the values."""
    texts = []
    for path in (ROOT / "sklearn_task2box").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return texts


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/guide.md", "docs/index.md"])
def test_snippets_run(page, monkeypatch, tmp_path):
    monkeypatch.setattr(matplotlib.pyplot, "show", lambda: None)
    monkeypatch.chdir(tmp_path)
    snippets = re.findall(r"```python\n(.*?)```", read(page), flags=re.DOTALL)
    assert len(snippets) >= 3
    names = {"__name__": "snippets"}
    for snippet in snippets:
        exec(compile(snippet, page, "exec"), names)
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_that_exist(page):
    for target in re.findall(r"\]\(([^)#\s]+)", read(page)):
        made = target.startswith("gallery/")  # by the examples
        found = ROOT / "examples" / target.removeprefix("gallery/")
        path = found.with_suffix(".py") if made else (ROOT / page).parent / target
        if target == "gallery/index.rst":
            continue
        assert target.startswith("http") or path.exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_links_to_headings_lead_to_headings(page):
    for target, heading in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", read(page)):
        other = (ROOT / page).parent / target if target else ROOT / page
        if target.startswith("http"):
            continue
        headings = re.findall(r"^#+ (.*)$", other.read_text(encoding="utf-8"), re.M)
        slugs = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
        assert heading in slugs, (target, heading)


def test_readme_begins_with_the_two_commands():
    commands = re.findall(r"^(make \w+)", read("README.md"), flags=re.M)
    assert commands[:2] == ["make demo", "make test"]


def test_readme_is_short_enough_to_be_read():
    assert len(read("README.md").splitlines()) <= 135


def section_of_guide(heading):
    """Text of the guide below a heading, up to the next of that level."""
    return read("docs/guide.md").split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_advice_on_tuning_fits_on_a_screen():
    assert len(section_of_guide("How do I tune?").splitlines()) <= 40


def test_readme_leads_to_a_model_of_twenty_lines():
    assert "[twenty lines in the guide](docs/guide.md#a-model-of-your-own)" in read(
        "README.md"
    )
    section = section_of_guide("A model of your own")
    code = re.search(r"```python\n(.*?)```", section, re.S)[1]
    models = [node for node in ast.parse(code).body if isinstance(node, ast.ClassDef)]
    assert [base.id for model in models for base in model.bases] == ["RelationModel"]
    lines = ast.get_source_segment(code, models[0]).splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 20


def test_commands_of_documents_are_targets_of_the_makefile():
    targets = set(re.findall(r"^([\w-]+):", read("Makefile"), flags=re.M))
    for page in PAGES:
        for command in re.findall(r"\bmake ([a-z][a-z-]*)", " ".join(code_of(page))):
            assert command in targets, (page, command)


def code_of(page):
    """Blocks and words of a page that are set as code."""
    text = read(page)
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, flags=re.DOTALL)
    return blocks + re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))


def test_files_that_contributing_names_exist():
    names = re.findall(
        r"`((?:tests|boxes|sklearn_task2box)/[\w/.]*)`", read("CONTRIBUTING.md")
    )
    assert len(names) >= 5
    for name in names:
        assert (ROOT / name).exists() or (ROOT / "sklearn_task2box" / name).exists(), name


def test_errors_that_the_questions_explain_are_raised_by_the_package():
    answers = read("docs/faq.md").split("\n## Messages of this package\n")[1]
    quotes = re.findall(r"\*\*\"(.*?)\"\*\*", answers, flags=re.DOTALL)
    assert len(quotes) >= 15
    for quote in quotes:
        for part in quote.replace("\n", " ").split("…"):
            part = part.strip()
            assert any(part in text for text in texts_of_package()), part


@pytest.mark.parametrize("page", PAGES)
def test_pages_use_the_terms_of_the_field(page):
    lines = read(page).splitlines()
    found = [line for line in lines if WORDS.search(line)]
    assert not found


def test_arguments_that_the_guide_names_exist():
    """Calls in code of the guide, with arguments of one estimator of this package."""
    import inspect

    import sklearn_task2box
    from sklearn_task2box import models, nets, representations

    modules = (sklearn_task2box, models, nets, representations)
    classes = {n: getattr(m, n) for m in modules for n in m.__all__}
    n_checked = 0
    for page in PAGES:
        for code in code_of(page):
            for name, arguments in re.findall(r"\b(\w+)\(([^()]*)\)", code):
                if not inspect.isclass(classes.get(name)):
                    continue
                known = set(inspect.signature(classes[name]).parameters)
                for argument in re.findall(r"\b(\w+)=", arguments):
                    assert argument in known, (page, name, argument)
                    n_checked += 1
    assert n_checked >= 30
