"""Hops receive, admit and commit: from the broker into the store, exactly once."""
