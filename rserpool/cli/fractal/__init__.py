"""C{rserpool fractal}: a picture that a pool computes while its workers are killed."""
