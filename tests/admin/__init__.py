"""Tests for rserpool.admin."""
