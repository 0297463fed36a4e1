"""What parents allow for their children, and that it can be taken back."""
