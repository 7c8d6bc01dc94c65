"""What the twin believes about the plant, and the pure folds that keep it true."""
