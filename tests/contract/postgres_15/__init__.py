"""What depends on the server, on the oldest release that is promised.

Values are left out: what becomes of them is decided by the codec, and shown on the newest.
"""
