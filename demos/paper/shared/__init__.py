"""What the experiments share: command lines, tables, intervals, models and rotations."""
