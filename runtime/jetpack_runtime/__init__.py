"""The worker and the client of jetpackc's generated queue. Needs psycopg alone."""
