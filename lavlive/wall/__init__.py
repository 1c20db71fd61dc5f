"""Several machines, one show: a conductor tells what its sound makes, nodes draw it at the same moment."""
