"""What the platform calls outside of its stores, each behind a small protocol with a twin in memory."""
