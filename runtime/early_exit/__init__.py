"""The loop over timesteps: who goes on, who leaves, and what decides it."""
