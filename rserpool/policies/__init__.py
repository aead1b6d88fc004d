"""How a pool chooses its elements (RFC 5356): one small file per policy."""
