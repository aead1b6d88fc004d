"""The SNMP agent of a host is told what a role knows: AgentX (RFC 2741), the MIB of RSerPool (RFC 5525)."""
