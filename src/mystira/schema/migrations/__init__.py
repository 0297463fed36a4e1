"""The steps by which the tables came to be as they are. A step, once released, is never edited."""
