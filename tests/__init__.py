"""Tests of this package; what the files of whoever runs them say does not count (L{rserpool.config.user})."""

import os

os.environ["RSERPOOL_CONFIG"] = "none"
