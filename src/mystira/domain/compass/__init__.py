"""Where players moved on the compass, axis by axis."""
