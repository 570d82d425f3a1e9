"""What repeats in a training set, and may be memorised."""
