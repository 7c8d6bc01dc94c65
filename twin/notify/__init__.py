"""Tell people who are not looking at the page: who, when, in which words, over Apprise."""
