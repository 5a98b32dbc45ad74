"""Beagle schedules machine-learning experiments. Inside an experiment: `beagle.report(...)`, `beagle.parameters()`."""

# Importing binds the name `beagle.report` to the module, and then this line binds it to the function of the same name.
# It stays so: a module found in `sys.modules` is not bound again, and `from beagle.report import ...` finds it there.
from beagle.report import completed, parameters, report

__all__ = ["completed", "parameters", "report"]
