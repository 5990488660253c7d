"""Benches: `python -m bench` puts our node beside its peers over the network; bench/codecs.py the kernels."""
