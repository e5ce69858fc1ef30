"""What of the project works on this machine, and what brings the rest: `spikehalt doctor`."""
