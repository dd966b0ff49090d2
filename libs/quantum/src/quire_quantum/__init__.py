"""Programs, structures, observables, counts and the executor port."""
