"""What Mystira serves, one room a service. None imports another; `mystira.serve` puts them together."""
