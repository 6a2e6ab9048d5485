"""The commands, a file for each group of them; each imports what it needs when it runs."""
