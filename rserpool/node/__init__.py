"""What runs a role on a loop: its driver, its channels, and what goes wrong on them."""
