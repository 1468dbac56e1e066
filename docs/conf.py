"""How Sphinx builds the site: `make docs`."""

from cdd import __version__

project = "Towards a Smaller Student, reproduced"
author = "The contributors of this project"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "tools.site.directives"]

# The whole project is the source folder, so that a link works on the site as it does in the repository.
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "DIFFERENCES.md",
    "REPRODUCIBILITY.md",
    "cdd/data/household/ATTRIBUTION.md",
    "results/reference/**.md",
]
exclude_patterns = [".git", ".venv", "build", "dist", "*.egg-info", "**/__pycache__"]

smartquotes = False  # A quoted title reads as it does in the code.
html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["front"]  # The site's own address leads to its first page.
html_copy_source = False
html_show_copyright = False

myst_heading_anchors = 3
default_role = "code"  # Docstrings quote code as Markdown does.
autodoc_class_signature = "separated"  # The fields of models are in the reference of the recipe.
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "exclude-members": "model_config, key"}
maximum_signature_line_length = 80
