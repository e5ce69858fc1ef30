"""What a training run says: a bar or lines while it trains, a log of its epochs."""
