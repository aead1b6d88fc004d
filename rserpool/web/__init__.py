"""HTTP over pools: C{http://POOL/} and C{https://POOL/} for C{twisted.web.client.Agent}, C{treq} and their like."""
