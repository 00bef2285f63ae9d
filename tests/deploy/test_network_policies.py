"""NetworkPolicies admit the connections that docs/architecture.md lists, and no others."""

import re

import pytest

from tests.deploy.manifests import OVERLAYS, ROOT, named, of_kind, overlay, pods, selects

# Namespaces that policies name, and the word of the table for their pods.
_NAMESPACES = {"ingress-nginx": "Ingress controller", "kube-system": "name servers"}
_OUTSIDE = "outside"
_ANY = "any"
# The port that stands for those that nothing listens on.
_UNUSED = 4444


def listed(overlay_name):
    """Return the connections of the table, as (from, to, port), for one overlay."""
    text = (ROOT / "docs/architecture.md").read_text()
    part = re.search(r"^## Who connects to whom$(.*?)^## ", text, re.MULTILINE | re.DOTALL)[1]
    found = set()
    for line in re.findall(r"^\| (?!from|---)(.*) \|$", part, re.MULTILINE):
        sources, target, ports, overlays, _ = (cell.strip() for cell in line.split("|"))
        if overlays == "all" or overlay_name in names(overlays):
            found |= {(source, target.strip("`"), port) for source in names(sources) for port in names(ports)}
    return found


def names(cell):
    """Return the names of one cell, without the marks of code."""
    return [one.strip(" `") for one in cell.split(",")]


def _peers(peer, templates):
    """Return the names of those that one peer of a rule stands for."""
    if "ipBlock" in peer:
        return {_OUTSIDE}
    if "namespaceSelector" in peer:
        assert "podSelector" not in peer
        return {_NAMESPACES[peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]]}
    return {name for name, pod in templates.items() if selects(peer["podSelector"], pod["metadata"]["labels"])}


def admitted(documents, direction):
    """Return the connections that policies of one direction admit, as (from, to, port or `any`)."""
    templates, found, isolated = pods(documents), set(), set()
    side, key = ("from", "ingress") if direction == "Ingress" else ("to", "egress")
    for policy in of_kind(documents, "NetworkPolicy"):
        spec = policy["spec"]
        mine = {name for name, pod in templates.items() if selects(spec["podSelector"], pod["metadata"]["labels"])}
        assert mine, policy["metadata"]["name"]
        if direction not in spec["policyTypes"]:
            assert key not in spec
            continue
        isolated |= mine
        for rule in spec.get(key, ()):
            ports = {str(one["port"]) for one in rule["ports"]} if "ports" in rule else {_ANY}
            peers = set().union(*(_peers(one, templates) for one in rule[side]))
            pairs = {(peer, one) if direction == "Ingress" else (one, peer) for peer in peers for one in mine}
            found |= {(*pair, port) for pair in pairs for port in ports}
    assert isolated == templates.keys(), "a pod that no policy selects takes everything"
    return found


def connections(documents):
    """Return the connections that both ends admit; those of other namespaces and of the outside have one end here."""
    templates = pods(documents)
    coming, going = admitted(documents, "Ingress"), admitted(documents, "Egress")
    from_others = {one for one in coming if one[0] not in templates}
    to_others = {one for one in going if one[1] not in templates}
    one_sided = (coming - from_others) ^ (going - to_others)
    assert not one_sided, "the other end refuses these"
    return from_others | to_others | (coming & going)


@pytest.mark.parametrize("name", OVERLAYS)
def test_policies_admit_exactly_the_connections_of_the_table(name):
    """Every pod is isolated in both directions, and each connection is listed in docs/architecture.md."""
    documents = overlay(name)
    every = {(pod, "name servers", "53") for pod in pods(documents)}
    assert connections(documents) - every == listed(name)
    assert every <= connections(documents)


def test_an_added_rule_is_found():
    """A rule that admits one more port of the name servers differs from the table."""
    documents = overlay("dev")
    rule = named(documents, "NetworkPolicy", "names")["spec"]["egress"][0]
    rule["ports"].append({"port": _UNUSED})
    assert ("gateway", "name servers", str(_UNUSED)) in connections(documents) - listed("dev")


def test_only_the_gateway_is_reached_from_outside():
    """The one connection from another namespace is that of the Ingress controller to the gateway's public port."""
    for name in OVERLAYS:
        documents = overlay(name)
        outside = {one for one in connections(documents) if one[0] not in pods(documents)}
        assert outside == {("Ingress controller", "gateway", "8080")}


def test_connections_lead_to_ports_that_pods_listen_on():
    """Each admitted port is one that the container of the other end names."""
    documents = overlay("dev")
    ports = {
        name: {str(port["containerPort"]) for one in pod["spec"]["containers"] for port in one.get("ports", ())}
        for name, pod in pods(documents).items()
    }
    inner = [one for one in connections(documents) if one[1] in ports]
    assert len(inner) > 25
    assert [one for one in inner if one[2] not in ports[one[1]]] == []


def test_partners_are_at_public_addresses():
    """The policy for connections at any port leaves private networks and the addresses of machines' metadata out."""
    (rule,) = named(overlay("prod"), "NetworkPolicy", "workers-to-partners")["spec"]["egress"]
    assert "ports" not in rule
    blocks = {one["ipBlock"]["cidr"]: set(one["ipBlock"]["except"]) for one in rule["to"]}
    assert blocks["0.0.0.0/0"] >= {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"}
    assert blocks["::/0"] >= {"fc00::/7", "fe80::/10"}
