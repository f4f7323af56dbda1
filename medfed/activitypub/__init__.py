"""Wire formats, signatures and proofs; pure."""
