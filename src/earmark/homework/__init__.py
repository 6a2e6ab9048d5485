"""A course's homework: who is in it, what was handed in, what it earned, and what students and instructors get back."""
