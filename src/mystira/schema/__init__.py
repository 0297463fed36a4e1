"""The relational home of Mystira's records: tables, how kinds lie in them, and how they came to be so."""
