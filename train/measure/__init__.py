"""What a trained network does: accuracy, exits, firing rates, energy."""
