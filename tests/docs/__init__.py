"""Every example in every page, run as it is printed: see CONTRIBUTING.md, "Examples in the pages"."""
