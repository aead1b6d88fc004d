"""Tests of rserpool.security."""
