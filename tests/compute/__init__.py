"""Computing over pools."""
