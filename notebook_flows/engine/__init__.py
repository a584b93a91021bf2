"""The loop that runs a plan, and the ports that executors and event logs fit."""
