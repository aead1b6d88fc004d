"""What a registrar knows: pools, their elements, and the checksum over them."""
