"""Unrolled networks and what can, and cannot, be proved about them."""
