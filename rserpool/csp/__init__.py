"""rsplib's Component Status Protocol: what components report (L{rserpool.csp.report}), and what a monitor knows of them
(L{rserpool.csp.components})."""
