"""Proofs and policies as C2SP writes them: the texts' own examples, and one defect at a time."""

from __future__ import annotations

import base64

import pytest
from saphan_protocol import notes
from saphan_protocol.checkpoint import format_checkpoint
from saphan_protocol.merkle import inclusion_path, leaf_hash, root_of
from saphan_protocol.tlog_policy import (
    Group,
    Policy,
    agencies_policy,
    format_policy,
    parse_policy,
    satisfied,
)
from saphan_protocol.tlog_proof import TlogProof, format_proof, parse_proof, verify_proof
from saphan_schemas.errors import InvalidInput
from support.log_keys import log_note, log_pair, witness_lines, witness_pair

ORIGIN = "bridge.example/evidence/1"
LEAVES = [b"leaf %d" % place for place in range(13)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
ROOT = root_of(HASHES)
TEXT = format_checkpoint(ORIGIN, len(LEAVES), ROOT)
LA, KH, TH = "la.ospp", "kh.gpo", "th.amlo"
NOTE = notes.add_lines(
    log_note(ORIGIN, TEXT, 1_795_000_000),
    witness_lines(LA, TEXT, 1_795_000_001) + witness_lines(KH, TEXT, 1_795_000_002),
)
AGENCIES = {name: witness_pair(name) for name in (LA, KH, TH)}
POLICY = agencies_policy(log_pair(ORIGIN), AGENCIES, 2)


def path_of(index: int) -> tuple[bytes, ...]:
    return inclusion_path(
        index, len(LEAVES), lambda level, n: root_of(HASHES[n << level :][: 1 << level])
    )


PROOF = TlogProof(7, path_of(7), NOTE)
SAMPLE = b"""c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=
RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=
AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

"""
"""The text's example, whose signatures are elided there."""

SAMPLE_EXTRA = base64.b64decode(b"YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ")


def code_of(data: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse_proof(data)
    return caught.value.code


def test_the_texts_example_reads_and_is_written_back() -> None:
    line = notes.NoteLine("example.com/fancylog", b"1234", bytes(64)).encode()
    proof = parse_proof(SAMPLE + line)
    assert (proof.index, len(proof.path), proof.extra) == (73_894, 5, SAMPLE_EXTRA)
    assert format_proof(proof) == SAMPLE + line


@pytest.mark.parametrize("extra", (None, b"\x00", b"age-v1.2.1"))
@pytest.mark.parametrize("index", range(len(LEAVES)))
def test_every_leaf_is_proven_under_the_policy(index: int, extra: bytes | None) -> None:
    proof = TlogProof(index, path_of(index), NOTE, extra)
    data = format_proof(proof)
    assert parse_proof(data) == proof
    head = verify_proof(proof, LEAVES[index], POLICY)
    assert (head.size, head.root) == (len(LEAVES), ROOT)
    with pytest.raises(InvalidInput) as refused:
        verify_proof(proof, b"another leaf", POLICY)
    assert refused.value.code == "proof_inclusion"


def test_no_altered_byte_proves_anything_else() -> None:
    """A line whose name or id is altered is nobody's: the policy takes either line of the log."""
    data = format_proof(PROOF)
    lines = data.index("\u2014 ".encode())
    for at in [*range(lines), *range(lines, len(data), 7)]:
        altered = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        try:
            head = verify_proof(parse_proof(altered), LEAVES[7], POLICY)
        except InvalidInput:
            continue
        assert at > lines
        assert head == (ORIGIN, len(LEAVES), ROOT)


ROWS = format_proof(PROOF).split(b"\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"c2sp.org/tlog-proof@v1", b"c2sp.org/tlog-proof@v2"),
        (b"\nindex 7\n", b"\nindex 07\n"),
        (b"\nindex 7\n", b"\nindex 1_0\n"),
        (b"\nindex 7\n", b"\nindex +7\n"),
        (b"\nindex 7\n", b"\nindex  7\n"),
        (b"\nindex 7\n", b"\nindex 7 \n"),
        (b"\nindex 7\n", b"\nindex -7\n"),
        (b"\nindex 7\n", "\nindex \u0667\n".encode()),
        (b"\nindex 7\n", "\nindex \u17e7\n".encode()),
        (b"\nindex 7\n", b"\nindex 9007199254740992\n"),
        (b"\nindex 7\n", b"\nindex 7\r\n"),
        (b"\nindex 7\n", b"\n"),
        (b"\nindex 7\n", b"\nextra \nindex 7\n"),
        (b"\nindex 7\n", b"\nextra YQ\nindex 7\n"),
        (b"\nindex 7\n", b"\nextra YR==\nindex 7\n"),
        (b"\nindex 7\n", b"\nextra YQ==\nextra YQ==\nindex 7\n"),
        (b"\nindex 7\n", b"\nindex 7\nextra YQ==\n"),
        (ROWS[2], ROWS[2][:-1]),
        (ROWS[2], ROWS[2] + b"="),
        (ROWS[2], b" " + ROWS[2]),
        (ROWS[2], base64.b64encode(bytes(31))),
        (ROWS[2], ROWS[2] + b"\n" + b"\n".join([ROWS[3]] * 64)),
    ],
)
def test_a_proof_has_one_spelling(old: bytes, new: bytes) -> None:
    data = format_proof(PROOF)
    assert data.count(old) == 1
    assert code_of(data.replace(old, new)) in {"tlog_proof_malformed", "note_malformed"}


def test_what_is_too_long_is_not_read() -> None:
    assert code_of(format_proof(PROOF) + bytes(2**20)) == "too_large"


def test_a_path_of_another_leaf_or_size_does_not_lead_there() -> None:
    for path in (PROOF.path[:-1], (*PROOF.path, bytes(32)), path_of(6)):
        with pytest.raises(InvalidInput) as refused:
            verify_proof(TlogProof(7, path, NOTE), LEAVES[7], POLICY)
        assert refused.value.code == "proof_inclusion"


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (agencies_policy(log_pair(ORIGIN), AGENCIES, 3), "quorum_missing"),
        (agencies_policy(log_pair(ORIGIN), {TH: AGENCIES[TH]}, 1), "quorum_missing"),
        (agencies_policy(log_pair("other.example/evidence/1"), AGENCIES, 2), "head_signature"),
        (agencies_policy((), AGENCIES, 2), "head_signature"),
        (Policy(), "head_signature"),
    ],
)
def test_a_head_that_the_policy_does_not_believe(policy: Policy, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        verify_proof(PROOF, LEAVES[7], policy)
    assert refused.value.code == code


def test_one_half_of_a_witness_is_no_witness() -> None:
    pair = AGENCIES[LA]
    policy = agencies_policy(log_pair(ORIGIN), {LA: (pair[0], AGENCIES[TH][1])}, 1)
    assert satisfied(policy, {f"{LA}/ed25519", f"{LA}/ml-dsa-44"})
    with pytest.raises(InvalidInput, match="quorum"):
        verify_proof(PROOF, LEAVES[7], policy)


def vkey(place: int, kind: notes.KeyType = notes.KeyType.COSIGNATURE_ED25519) -> str:
    public = place.to_bytes(32, "big")
    return notes.format_vkey(notes.verifier_key(f"key{place}", kind, public))


EXAMPLE = f"""log {vkey(0, notes.KeyType.ED25519)}

witness X1 {vkey(1)}
witness X2 {vkey(2)} https://x2.example/witness
witness X3 {vkey(3)}
group X-witnesses 2 X1 X2 X3

\t# a comment
witness Y1 {vkey(4)}
witness  Y2\t{vkey(5)}
witness Y3 {vkey(6)}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""
"""The text's example with keys of our own."""


def test_the_texts_example_policy() -> None:
    policy = parse_policy(EXAMPLE.encode())
    assert policy.groups["X-and-Y"] == Group(2, ("X-witnesses", "Y-witnesses"))
    assert parse_policy(format_policy(policy)) == policy
    assert satisfied(policy, {"X1", "X3", "Y2"})
    for few in (set(), {"X1", "X2", "X3"}, {"X1", "Y1", "Y2", "Y3"}):
        assert not satisfied(policy, few)


def test_names_are_octets_and_no_cosignature_may_be_wanted() -> None:
    name = b"\xe2\x84\xaa\xff"
    policy = parse_policy(b"witness %b %b\nquorum none\n" % (name, vkey(1).encode()))
    assert (policy.quorum, satisfied(policy, set())) == (None, True)
    assert name in format_policy(policy)
    assert format_policy(parse_policy(format_policy(POLICY))) == format_policy(POLICY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("quorum X-and-Y\n", ""),
        ("quorum X-and-Y\n", "quorum X-and-Y\nquorum X-and-Y\n"),
        ("quorum X-and-Y\n", "quorum Z\n"),
        ("quorum X-and-Y\n", "quorum\n"),
        ("quorum X-and-Y\n", "quorum X-and-Y"),
        ("quorum X-and-Y\n", "quorum X-and-Y # why\n"),
        ("group X-witnesses 2 ", "group X-witnesses 4 "),
        ("group X-witnesses 2 ", "group X-witnesses 0 "),
        ("group X-witnesses 2 ", "group X-witnesses 02 "),
        ("group X-witnesses 2 ", "group X-witnesses +2 "),
        ("group X-witnesses 2 ", "group X-witnesses 1_0 "),
        ("group X-witnesses 2 ", "group X-witnesses \u0662 "),
        ("group X-witnesses 2 X1 X2 X3", "group X-witnesses 2 X1 X1 X3"),
        ("group X-witnesses 2 X1 X2 X3", "group X-witnesses all"),
        ("group X-witnesses 2 X1 X2 X3", "group X-witnesses 2 X1 X2 Y1"),
        ("group Y-witnesses any Y1", "group Y-witnesses any X1"),
        ("group Y-witnesses any Y1", "group Y-witnesses any none"),
        ("group X-and-Y", "group X-witnesses"),
        ("group X-and-Y", "group none"),
        ("witness X2", "witness X1"),
        ("witness X2", "witness none"),
        ("witness X2", "Witness X2"),
        (vkey(2), vkey(1)),
        (vkey(2), vkey(2, notes.KeyType.ED25519)),
        (vkey(0, notes.KeyType.ED25519), vkey(7)),
        ("\t# a comment", "\r"),
        ("\t# a comment", "\x0b"),
        ("\t# a comment", f"log {vkey(0, notes.KeyType.ED25519)}"),
    ],
)
def test_a_policy_that_is_none(old: str, new: str) -> None:
    assert old in EXAMPLE
    with pytest.raises(InvalidInput) as refused:
        parse_policy(EXAMPLE.replace(old, new, 1).encode())
    assert refused.value.code == "policy_malformed"


def test_policies_are_bounded() -> None:
    rows = "".join(f"witness W{place} {vkey(place)}\n" for place in range(300))
    for data in (rows.encode() + b"quorum none\n", b"#" * 300_000 + b"\n"):
        with pytest.raises(InvalidInput):
            parse_policy(data)


def test_more_witnesses_than_there_are_cannot_be_wanted() -> None:
    with pytest.raises(InvalidInput, match="4 witnesses"):
        agencies_policy(log_pair(ORIGIN), AGENCIES, 4)
    assert agencies_policy(log_pair(ORIGIN), AGENCIES, 0).quorum is None
