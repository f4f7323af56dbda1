"""Clinical cases."""
