"""The fractal generator: tiles of pictures, whose elements leave how far they are; rsplib's service to look at."""
