"""What a store, a placement or a move is tested with; of use to whoever adds a product of their own."""
