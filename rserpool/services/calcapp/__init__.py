"""CalcApp: jobs that cost time, at elements that share what they can do; rsplib's service for measurements."""
