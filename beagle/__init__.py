"""Beagle schedules machine-learning experiments. Inside an experiment: `beagle.report(...)`, `beagle.parameters()`."""
