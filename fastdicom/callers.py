"""Who may call us, from where, and what each may ask for: the rules of [access] and [[peers]]."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from fastdicom.config import Config, Peer
from fastdicom.net.certificates import PeerCertificate
from fastdicom.upperlayer.pdus import (
    REJECT_CALLED_AE_TITLE,
    REJECT_CALLING_AE_TITLE,
    AssociationReject,
    AssociationRequest,
)

Networks = tuple[IPv4Network | IPv6Network, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for one calling AE title, or for all that we do not know. Empty: no restriction."""

    operations: frozenset[str]
    networks: Networks = ()
    own_ae_titles: frozenset[str] = frozenset()
    tls_required: bool = False
    certificates: tuple[str, ...] = ()
    associations_max: int = 0


class Callers:
    """The rules of one configuration."""

    def __init__(self, config: Config) -> None:
        access = config.access
        maximum = config.limits.associations_per_peer_max
        self._peers = {peer.ae_title: _rule(peer, maximum) for peer in config.peers}
        self._unknown = Rule(
            frozenset[str](access.unknown_peers),
            _networks(access.unknown_addresses),
            frozenset(access.unknown_own_ae_titles),
            associations_max=maximum,
        )

    def rule(self, ae_title: str) -> Rule:
        """The rule for a calling AE title."""
        return self._peers.get(ae_title, self._unknown)

    def knows(self, ae_title: str) -> bool:
        """Whether it may do anything at all."""
        return ae_title in self._peers or bool(self._unknown.operations)

    def objection(
        self, request: AssociationRequest, address: str, secure: bool, certificate: PeerCertificate | None
    ) -> tuple[AssociationReject, str] | None:
        """What to reject the request with, and why (for our log: a stranger is not told); None: welcome."""
        rule = self.rule(request.calling_ae_title)
        if not _is_within(address, rule.networks):
            return REJECT_CALLING_AE_TITLE, f"it may not call from {address}"
        if rule.tls_required and not secure:
            return REJECT_CALLING_AE_TITLE, "it has to use TLS"
        if rule.certificates and (certificate is None or not certificate.is_one_of(rule.certificates)):
            shown = ", ".join(sorted(certificate.names)) if certificate else "nobody"
            return REJECT_CALLING_AE_TITLE, f"its certificate is of {shown}"
        if rule.own_ae_titles and request.called_ae_title not in rule.own_ae_titles:
            return REJECT_CALLED_AE_TITLE, f"it may not call {request.called_ae_title!r}"
        return None


def _rule(peer: Peer, associations_max: int) -> Rule:
    return Rule(
        frozenset[str](peer.allow),
        _networks(peer.addresses),
        frozenset(peer.own_ae_titles),
        peer.tls_required,
        peer.certificates,
        peer.max_associations or associations_max,
    )


def _networks(texts: tuple[str, ...]) -> Networks:
    return tuple(ip_network(text) for text in texts)


def _is_within(address: str, networks: Networks) -> bool:
    """No networks: anywhere. An IPv4 address that came over an IPv6 socket counts as what it is."""
    if not networks:
        return True
    found = ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in network for network in networks)
