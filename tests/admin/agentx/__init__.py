"""What an SNMP agent is told."""
