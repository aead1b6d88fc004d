"""A relay of connections to pools, for programs that know nothing of them."""
