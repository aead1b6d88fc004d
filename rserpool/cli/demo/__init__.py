"""C{rserpool demo}: a pool that survives, shown with real processes."""
