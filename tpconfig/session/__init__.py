"""The imperative shell: one ``tp up``, from the first look at the cluster to the last restore."""
