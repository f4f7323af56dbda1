"""Images in and out: validated, rebuilt from pixels, stored."""
