"""Hostile peers against a node in another process: the classes of attack that its threat list numbers.

FASTDICOM_HOSTILE_TARGET=storescp|dcmqrscp|orthanc|pynetdicom points the same attacks at another
server. That is how the attacks themselves are proved to be real ones; expect failures there.
"""
