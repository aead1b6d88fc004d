"""Configuration files: one TOML schema for all roles, made from their options; defaults of users (operations)."""
