"""What serving over HTTP costs beside direct calls of the engine, and what it was chosen by."""
