"""The classic services as pool elements, compatible with rsplib's: echo, discard, daytime, chargen, pingpong."""
