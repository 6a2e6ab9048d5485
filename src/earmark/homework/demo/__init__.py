"""A course of invented students, played through: who they are, what they hand in, and what becomes of it."""
