"""What every HTTP service of Mystira has in common: how it is asked, how it answers, how it refuses.

A service declares its operations (`operations.py`); from that one declaration come the route, the strict
reading of what was sent (`bodies.py`, `queries.py`, `etags.py`), the answer, and the OpenAPI document with
its pages (`openapi.py`, `pages.py`). Refusals are problem details with stable codes (`problems.py`,
`refusals.py`); a creation is done once per Idempotency-Key (`idempotency.py`); every request has a
correlation id (`entrance.py`).
"""
