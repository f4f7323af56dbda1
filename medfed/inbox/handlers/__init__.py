"""One function a kind of activity."""
