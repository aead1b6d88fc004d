"""Where programs find what lets a reactor's timers hang on the monotonic clock."""

from rserpool.sctp.steady import make_steady as make_steady
