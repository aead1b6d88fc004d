"""What makes a release, and looks at it: manual pages, sdist and wheel (docs/releasing.md)."""
