"""Signing up and in by a code that is sent by e-mail, and who is signed in."""
