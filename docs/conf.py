"""Configuration of the documentation: ``make docs`` builds it."""

import os
import re
import shutil
import sys
from importlib.metadata import version as installed
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

project = "sklearn-task2box"
author = "The sklearn-task2box developers"
project_copyright = author
release = installed(project)
version = release

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
    "numpydoc",
    "myst_parser",
]
templates_path = ["templates"]
exclude_patterns = ["_build", "templates"]
# Links to headings, as GitHub makes them.
myst_heading_anchors = 3
# Quotes stand in code and messages: as they are typed, they are found, and can be copied.
smartquotes = False
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_sidebars = {
    "index": [],
    "install": [],
    "guide": [],
    "faq": [],
    "representations": [],
    "benchmarks": [],
    "paper": [],
}
html_theme_options = {
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,  # up to the API
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}

# A reference to a name of this package that does not exist is a warning, and so an error.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(numpy|sklearn|joblib|torch|warnings|pathlib)\..*"),
    (r"py:class", "Module"),  # in a docstring that comes from torch
]

# Types are in the docstrings.
autodoc_typehints = "none"
autosummary_generate = True
# Methods stand below their class, with those inherited from classes of this package.
numpydoc_show_class_members = False
# "fit()" in the column of what is on a page, and not "BoxRelationEmbedder.fit()".
toc_object_entries_show_parents = "hide"

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    # All are shown, but only these run: the others take minutes, or files.
    "filename_pattern": "/plot_",
    "ignore_pattern": r"__init__\.py|large_taxonomy\.py",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("sklearn_task2box",),
    "within_subsection_order": "FileNameSortKey",
    "matplotlib_animations": False,
    "show_memory": False,
    "remove_config_comments": True,
    "download_all_examples": False,
    "abort_on_example_error": True,
}


def escape_fitted_names(app, what, name, obj, options, lines):
    """Keep names such as ``boxes_``, where they stand bare, from reading as links."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...", "..")):
            lines[i] = re.sub(r"(?<![`.\w\\])([A-Za-z]\w*)_(?![\w`])", r"\1\\_", line)


OF_SCIKIT_LEARN = re.compile(r"set_\w+_request|get_metadata_routing|set_output")


def skip_what_scikit_learn_adds(app, what, name, obj, skip, options):
    """Leave out the methods that scikit-learn generates for routing and containers."""
    return True if OF_SCIKIT_LEARN.fullmatch(name) else None


def keep_written_pages(app, exception):
    """Put pages that examples wrote where the gallery links to them."""
    for page in (HERE.parent / "examples" / "examples-output").glob("*.html"):
        shutil.copy(page, app.outdir)


def setup(app):
    """Connect what mends pages on their way."""
    app.connect("autodoc-process-docstring", escape_fitted_names, priority=900)
    app.connect("autodoc-skip-member", skip_what_scikit_learn_adds)
    app.connect("build-finished", keep_written_pages)
