"""The only socket."""
