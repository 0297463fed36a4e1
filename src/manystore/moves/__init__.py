"""Moving a kind's truth to another store while it is written: one file a step."""
