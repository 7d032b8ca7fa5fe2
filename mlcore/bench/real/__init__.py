"""What ours does on real files: folds inside the training runs, the parts of a score, and how they are combined."""
