"""Computing over pools: what travels, and which worker is given which job. No I/O, no clock."""
