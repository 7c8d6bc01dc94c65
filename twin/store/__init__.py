"""What the twin remembers: the only importer of psycopg."""
