"""C{rserpool monitor}: what comes in, what somebody sees of it, and what keys change."""
