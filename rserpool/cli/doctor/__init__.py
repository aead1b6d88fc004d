"""C{rserpool doctor}: looks for what keeps a host or a scope from working, and says the cure."""
