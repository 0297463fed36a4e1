"""Speaking to Mystira's own services by HTTP, as any other program would."""
