"""Who asks, what they may, and how they have shown who they are."""
