"""Bundles on Ray; `spikehalt.ray` gives its public names.

serving     Ray Serve: the application of `runtime.serve` in replicas
bulk        shards answered by actors on all nodes
predictor   answers for `map_batches` of Ray Data
shipping    a bundle on its way to machines that have none
"""
