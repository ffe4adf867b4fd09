"""Speech for training: synthesis, augmentation, phones and their alignment in time."""
