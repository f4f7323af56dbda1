"""Reports and sanctions."""
