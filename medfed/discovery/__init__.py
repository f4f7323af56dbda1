"""What others may look up here."""
