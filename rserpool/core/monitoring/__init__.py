"""rsplib's Component Status Protocol: reports, and what a monitor knows from them."""
