"""Speech for training: synthesis, augmentation, phones and their times."""
