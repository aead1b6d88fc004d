"""Beside the peers: etcd, ZooKeeper and rsplib do the same work as this package (C{python -m bench.peers})."""
