"""`jetpackc dev`: a project on a database of its own, its worker beside it, each save followed. A shell."""
