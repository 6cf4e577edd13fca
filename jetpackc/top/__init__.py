"""What goes on in a database just now: looks at it, and the table that they make."""
