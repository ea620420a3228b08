"""URLs of others are asked for byte by byte: a store that signs over them answers 403 to anything else."""

from __future__ import annotations

import pytest

from bridge_daemon.engine.address import exact, next_hop, same

TARGETS = [
    "/a%2Fb%2fc?Signature=a%2Fb%2Bc%3D%3D",
    "/x?sig=x%7Ey%2Fz%3D&other=x~y/z=",
    "/take%20%281%29.wav",
    "/take+1;v=2,3@4'5.wav?x=+%20&y=;,@'",
    "/%C3%BC/%c3%bc?%C3%BC=%3A:",
    "/a/../b/./c//d",
    "/?",
    "/a?",
    "/a?b=&b=&c&&=d&",
    "/a?x=y?z/&u=https://h/x%20",
    "/%zz/100%?%",
    '/a?b=[1]|{2}^`\\"<>',
]


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_stays_as_it_is(target: str) -> None:
    assert exact(f"https://h.example{target}").raw_path_qs == target
    assert str(exact(f"https://h.example{target}")) == f"https://h.example{target}"
    assert exact(f"https://h.example{target}#part?x").raw_path_qs == target, "a fragment stays here"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://h.example", "/"),
        ("https://h.example?x=%7E", "/?x=%7E"),
        ("https://h.example/a b?c d", "/a%20b?c%20d"),
        ("https://h.example/ü?ü=%C3%BC", "/%C3%BC?%C3%BC=%C3%BC"),
    ],
)
def test_what_a_request_line_cannot_hold_is_encoded(url: str, target: str) -> None:
    assert exact(url).raw_path_qs == target


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://bücher.example/x", "xn--bcher-kva.example", 443),
        ("https://xn--bcher-kva.example:8443/x", "xn--bcher-kva.example", 8443),
        ("HTTPS://Bucket.Example/x", "Bucket.Example", 443),
        ("https://h.example./x", "h.example.", 443),
        ("http://[::1]:9000/x", "::1", 9000),
        ("http://user:p%40ss@h.example/x", "h.example", 80),
    ],
)
def test_hosts(url: str, host: str, port: int) -> None:
    assert (exact(url).raw_host, exact(url).port) == (host, port)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/x",
        "https:/x",
        "https:///x",
        "https://h%2fevil.example/x",
        "https://h\\evil.example/x",
        "https://h.example:x/",
        "https://h.example:99999/",
        "https://[::1/x",
        "https://h example/x",
        "https://h.example/\r\nX: y",
        "https://h.example/\t",
    ],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        exact(url)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://o.example/%7E%2f?s=%2B%20+", "https://o.example/%7E%2f?s=%2B%20+"),
        ("//o.example/%28", "https://o.example/%28"),
        ("/%28x%29?s=%7E", "https://h.example:8/%28x%29?s=%7E"),
        ("c%2Fd?s=%3D", "https://h.example:8/a%2Fb/c%2Fd?s=%3D"),
        ("../%7E", "https://h.example:8/%7E"),
        ("?s=%3A", "https://h.example:8/a%2Fb/x%7E?s=%3A"),
        ("#part", "https://h.example:8/a%2Fb/x%7E?q=%2F"),
    ],
)
def test_redirects(location: str, expected: str) -> None:
    assert str(next_hop(exact("https://h.example:8/a%2Fb/x%7E?q=%2F"), location)) == expected


def test_a_source_that_is_written_differently_is_the_same() -> None:
    assert same("https://h/a%7E%2Fb", "https://h/a~/b")
    assert not same("https://h/a", "https://h/b")
    assert not same("https://h/a", None)
