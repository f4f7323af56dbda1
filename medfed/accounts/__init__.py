"""Members: registration, sign-in, profile."""
