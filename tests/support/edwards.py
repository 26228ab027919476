"""Edwards25519 in a few slow lines: an oracle for the weak points that enrolment refuses."""

from __future__ import annotations

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P

Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def add(first: Point, second: Point) -> Point:
    """Affine addition (RFC 8032 section 5.1.4); complete, so no case is special."""
    (x1, y1), (x2, y2) = first, second
    product = D * x1 * x2 * y1 * y2 % P
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P,
    )


def multiply(scalar: int, point: Point) -> Point:
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def decompress(y: int, odd: bool) -> Point | None:
    """The point with this y and the parity of x, or None (RFC 8032 section 5.1.3)."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and odd):
        return None
    return ((P - x) % P if (x & 1) != odd else x, y % P)


def torsion() -> list[Point]:
    """All eight points whose order divides 8, found by killing the prime-order part."""
    y = 2
    while True:
        point = decompress(y, odd=False)
        if point is not None:
            generator = multiply(L, point)
            if multiply(4, generator) != IDENTITY:
                return [multiply(k, generator) for k in range(8)]
        y += 1


def encodings(point: Point) -> set[bytes]:
    """Every 32-byte string that a lenient decoder reads as this point."""
    x, y = point
    signs = {x & 1} if x else {0, 1}
    ys = {y, y + P} if y + P < 2**255 else {y}
    return {(value | sign << 255).to_bytes(32, "little") for value in ys for sign in signs}
