"""What reads FLAME's pickles. It does not ship: the product has no module that reads pickles of any kind."""
