"""What a flow is and how its run unfolds: pure, without files, clocks, threads, randomness or third parties."""
