"""Which URLs and addresses may be contacted: the grammar, the address table, the operator's exceptions."""

import random
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medfed.kernel.errors import Blocked, Misconfigured
from medfed.net.guard import Policy, embedded, is_public, parse_networks, parse_url, resolve_reference

# Written from the IANA special-purpose registries as integers and prefix lengths, on purpose not as the code has it:
# first address, prefix length.
REGISTRY_V4 = (
    ("0.0.0.0", 8),  # noqa: S104
    ("10.0.0.0", 8),
    ("100.64.0.0", 10),
    ("127.0.0.0", 8),
    ("169.254.0.0", 16),
    ("172.16.0.0", 12),
    ("192.0.0.0", 24),
    ("192.0.0.0", 29),
    ("192.0.0.8", 32),
    ("192.0.0.9", 32),
    ("192.0.0.10", 32),
    ("192.0.0.170", 31),
    ("192.0.2.0", 24),
    ("192.31.196.0", 24),
    ("192.52.193.0", 24),
    ("192.88.99.0", 24),
    ("192.168.0.0", 16),
    ("192.175.48.0", 24),
    ("198.18.0.0", 15),
    ("198.51.100.0", 24),
    ("203.0.113.0", 24),
    ("224.0.0.0", 4),
    ("240.0.0.0", 4),
    ("255.255.255.255", 32),
)
REGISTRY_V6 = (
    ("::1", 128),
    ("::", 128),
    ("::ffff:0:0", 96),
    ("::", 96),
    ("64:ff9b::", 96),
    ("64:ff9b:1::", 48),
    ("100::", 64),
    ("100:0:0:1::", 64),
    ("2001::", 23),
    ("2001::", 32),
    ("2001:1::1", 128),
    ("2001:2::", 48),
    ("2001:3::", 32),
    ("2001:4:112::", 48),
    ("2001:10::", 28),
    ("2001:20::", 28),
    ("2001:30::", 28),
    ("2001:db8::", 32),
    ("2002::", 16),
    ("2620:4f:8000::", 48),
    ("3fff::", 20),
    ("5f00::", 16),
    ("fc00::", 7),
    ("fe80::", 10),
    ("fec0::", 10),
    ("ff00::", 8),
)

MISJUDGED_BY_IS_GLOBAL = (
    *("224.0.0.1", "239.255.255.250", "192.0.0.8", "192.88.99.1", "192.31.196.1", "192.52.193.1"),
    *("192.175.48.1", "::127.0.0.1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::", "100:0:0:1::"),
    *("2002:7f00:1::", "2620:4f:8000::", "3fff::1", "5f00::1", "fec0::1", "ff02::1"),
)
OFTEN_FORGOTTEN = (
    *("::", "0.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b:1::7f00:1"),
    *("2002:a00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001::1", "169.254.169.254", "fd00:ec2::254"),
    *("100.100.100.200", "168.63.129.16", "192.0.0.192", "255.255.255.255", "fe80::1", "::1"),
)


def _ranges(registry: tuple[tuple[str, int], ...], bits: int) -> list[tuple[int, int]]:
    return [(int(ip_address(first)), int(ip_address(first)) + 2 ** (bits - prefix) - 1) for first, prefix in registry]


@pytest.mark.case("B02", "B03")
@pytest.mark.parametrize("text", [*MISJUDGED_BY_IS_GLOBAL, *OFTEN_FORGOTTEN])
def test_a_special_address_is_never_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.case("B02")
@pytest.mark.parametrize(
    ("first", "prefix", "bits"),
    [(first, prefix, 32) for first, prefix in REGISTRY_V4] + [(first, prefix, 128) for first, prefix in REGISTRY_V6],
)
def test_both_ends_of_every_registered_block_are_refused(first: str, prefix: int, bits: int) -> None:
    start = ip_address(first)
    last = type(start)(int(start) + 2 ** (bits - prefix) - 1)
    assert not is_public(start)
    assert not is_public(last)


@pytest.mark.parametrize("text", ["1.1.1.1", "8.8.8.8", "9.255.255.255", "223.255.255.255", "172.15.0.1"])
def test_an_ordinary_v4_address_is_public(text: str) -> None:
    assert is_public(IPv4Address(text))


@pytest.mark.parametrize("text", ["2606:4700:4700::1111", "2a00:1450::1", "2001:200::1", "2620:4f:7fff::1"])
def test_an_ordinary_v6_address_is_public(text: str) -> None:
    assert is_public(IPv6Address(text))


@pytest.mark.case("B03")
def test_random_addresses_agree_with_an_independent_table() -> None:
    dice = random.Random(20_261_125)
    special = _ranges(REGISTRY_V4, 32)
    for _ in range(50_000):
        number = dice.getrandbits(32)
        expected = not any(first <= number <= last for first, last in special)
        assert is_public(IPv4Address(number)) is expected or number == int(IPv4Address("168.63.129.16"))
    special = _ranges(REGISTRY_V6, 128)
    starts = [first for first, _ in special]
    for turn in range(50_000):
        # Uniform 128-bit numbers hardly ever fall into a block: most begin near one.
        number = dice.getrandbits(128) if turn % 3 == 0 else dice.choice(starts) ^ dice.getrandbits(110)
        global_unicast = number >> 125 == 1
        expected = global_unicast and not any(first <= number <= last for first, last in special)
        assert is_public(IPv6Address(number)) is expected


@pytest.mark.case("B03")
@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::127.0.0.1", "127.0.0.1"),
        ("64:ff9b::7f00:1", "127.0.0.1"),
        ("64:ff9b:1::a00:1", "10.0.0.1"),
        ("2002:7f00:1::", "127.0.0.1"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45"),
    ],
)
def test_an_embedded_v4_address_is_found(text: str, inner: str) -> None:
    assert embedded(ip_address(text)) == IPv4Address(inner)


@pytest.mark.parametrize("text", ["::", "::1", "2606:4700::1", "8.8.8.8"])
def test_an_address_that_embeds_none_says_so(text: str) -> None:
    assert embedded(ip_address(text)) is None


@pytest.mark.case("B08")
@pytest.mark.parametrize(
    "text",
    [
        "file:///etc/passwd",
        "data:text/plain,hello",
        "ftp://a.example/",
        "gopher://a.example/",
        "unix:///run/socket",
        "blob:https://a.example/1",
        "HTTP://a.example/",
        "HTTPS://a.example/",
        "http://a.example/",
        "//a.example/",
        "a.example/",
        "https:a.example",
        "https:/a.example",
        "https://",
        "https:///path",
        "https://?q",
        "https://a.example:22/",
        "https://a.example:25/",
        "https://a.example:6379/",
        "https://a.example:/",
        "https://a.example:0443/",
        "https://a.example:65536/",
        "https://a.example:+443/",
        "https://a.example:4_43/",
        "https://a.example:٤٤٣/",
        "https://user@a.example/",
        "https://user:secret@a.example/",
        "https://a.example:443@b.example/",
        "https://@a.example/",
        "https://a.example\\@127.0.0.1/",
        "https://a.example\\.b.example/",
        "https:\\\\a.example/",
        "https://a.exa\tmple/",
        "https://a.exa\rmple/",
        "https://a.example/\r\nX: y",
        "https://a.example/\x00",
        "https://a.example/\x7f",
        "https://a.example/a b",
        " https://a.example/",
        "https://a.example/ ",
        "https://a.example/\u00a0",
        "https://a.example/\u2028",
        "https://a.example/\u202e",
        "https://a%2eexample/",
        "https://%61.example/",
        "https://１２７.0.0.1/",
        "https://①②⑦.0.0.1/",
        "https://a.example./",
        "https://a..example/",
        "https://.a.example/",
        "https://a。example/",
        "https://a．example/",
        "https://a｡example/",
        "https://ex\u00adample.org/",
        "https://ex\u200bample.org/",
        "https://-a.example/",
        "https://a-.example/",
        "https://a_b.example/",
        "https://a,b.example/",
        "https://a.example;b/",
        "https://xn--zzzz999.org/",
        "https://" + "a" * 64 + ".example/",
        "https://" + "a." * 126 + "toolong/",
        "https://a.example/" + "x" * 2_048,
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.1/",
        "https://127.0.0.1.2/",
        "https://127.0.0.256/",
        "https://127.0.0.01/",
        "https://a.0x7f/",
        "https://a.1/",
        "https://[::1/",
        "https://::1/",
        "https://[::1]]/",
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://[127.0.0.1]/",
        "https://[::1].example/",
        "https://localhost/",
        "https://intranet/",
        "",
    ],
)
def test_a_strange_url_is_refused(text: str) -> None:
    with pytest.raises(Blocked):
        parse_url(text)


@pytest.mark.case("B02", "B08")
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "8.8.8.8", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "[fd00:ec2::254]", "[2606::1]"],
)
def test_an_address_in_place_of_a_name_is_refused(host: str) -> None:
    with pytest.raises(Blocked):
        Policy().parse(f"https://{host}/")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("https://a.example", "https://a.example/"),
        ("https://A.Example:443/x#fragment", "https://a.example/x"),
        ("https://a.example?q=1", "https://a.example/?q=1"),
        ("https://a.example#f", "https://a.example/"),
        ("https://exämple.org/", "https://xn--exmple-cua.org/"),
        ("https://EXÄMPLE.org/", "https://xn--exmple-cua.org/"),
        ("https://exa\u0308mple.org/", "https://xn--exmple-cua.org/"),
        ("https://xn--exmple-cua.org/", "https://xn--exmple-cua.org/"),
        ("https://a.example/é?ü", "https://a.example/%C3%A9?%C3%BC"),
        ("https://a.example/%0d%0aX:%20y", "https://a.example/%0d%0aX:%20y"),
        ('https://a.example/{"a"}|<b>^`', "https://a.example/%7B%22a%22%7D%7C%3Cb%3E%5E%60"),
        ("https://a.example//x/../y;p=1", "https://a.example//x/../y;p=1"),
        ("https://a.example/@user@b.example", "https://a.example/@user@b.example"),
        ("https://1a.2b.example/", "https://1a.2b.example/"),
    ],
)
@pytest.mark.case("B08", "B12", "D12")
def test_an_ordinary_url_has_one_spelling(text: str, canonical: str) -> None:
    assert str(parse_url(text)) == canonical
    assert str(parse_url(canonical)) == canonical


@pytest.mark.case("B12")
@given(st.text(max_size=60))
def test_nothing_but_printable_ascii_reaches_the_request_line(text: str) -> None:
    try:
        url = parse_url("https://a.example/" + text)
    except Blocked:
        return
    assert url.target.isascii()
    assert url.target.isprintable()
    assert " " not in url.target


@pytest.mark.case("D12")
@given(st.text(alphabet="aAéÉxn-.1ß\u0301。①₁\u00ad", min_size=1, max_size=30))
def test_the_canonical_host_is_a_fixed_point(text: str) -> None:
    try:
        url = parse_url(f"https://{text}.example/")
    except Blocked:
        return
    assert parse_url(str(url)) == url
    assert url.host.isascii()
    assert url.host == url.host.lower()


def test_other_ports_and_plain_http_are_for_the_operators_own_networks() -> None:
    policy = Policy(allow_networks=parse_networks(["127.0.0.0/8"]), allow_http=True)
    for text in ("http://localhost:8001/", "http://127.0.0.1:8001/", "https://a.example/"):
        assert policy.parse(text).authority in text
    policy.check(policy.parse("http://localhost:8001/"), [IPv4Address("127.0.0.1")])
    policy.check(policy.parse("https://a.example/"), [IPv4Address("8.8.8.8")])
    for text in ("http://a.example/", "https://a.example:8443/"):
        with pytest.raises(Blocked):
            policy.check(policy.parse(text), [IPv4Address("8.8.8.8")])


@pytest.mark.case("B04")
@pytest.mark.parametrize("bad", ["127.0.0.1", "10.0.0.1", "::1", "fe80::1", "::ffff:8.8.8.8"])
def test_one_bad_address_refuses_the_whole_answer(bad: str) -> None:
    policy = Policy()
    url = policy.parse("https://a.example/")
    policy.check(url, [ip_address("8.8.8.8"), ip_address("2606:4700::1")])
    with pytest.raises(Blocked) as refusal:
        policy.check(url, [ip_address("8.8.8.8"), ip_address(bad)])
    assert refusal.value.host == "a.example"


def test_an_allowed_translation_prefix_does_not_open_what_lies_behind_it() -> None:
    policy = Policy(allow_networks=parse_networks(["64:ff9b::/96"]))
    url = policy.parse("https://a.example/")
    policy.check(url, [ip_address("64:ff9b::8.8.8.8")])
    with pytest.raises(Blocked):
        policy.check(url, [ip_address("64:ff9b::10.0.0.1")])


def test_a_v6_literal_inside_an_allowed_network_is_canonical() -> None:
    policy = Policy(allow_networks=parse_networks(["fd00::/8"]))
    url = policy.parse("https://[FD00:0::1]/x")
    assert str(url) == "https://[fd00::1]/x"
    assert url.host == "fd00::1"
    with pytest.raises(Blocked):
        policy.parse("https://[fe00::1]/")


def test_a_network_that_is_none_is_the_operators_mistake() -> None:
    with pytest.raises(Misconfigured):
        parse_networks(["127.0.0.1/8"])


@pytest.mark.parametrize(
    ("reference", "meaning"),
    [
        ("https://b.example/x", "https://b.example/x"),
        ("//b.example/x", "https://b.example/x"),
        ("/y?z", "https://a.example/y?z"),
        ("y", "https://a.example/one/y"),
        ("../y", "https://a.example/y"),
        ("../../../y/.", "https://a.example/y/"),
        ("./a/../b?c=../d", "https://a.example/one/b?c=../d"),
        ("?q", "https://a.example/one/two?q"),
        ("", "https://a.example/one/two?q=1"),
        ("#f", "https://a.example/one/two?q=1"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("/a#f", "https://a.example/a"),
    ],
)
def test_a_location_is_understood_relative_to_where_it_came_from(reference: str, meaning: str) -> None:
    assert resolve_reference(parse_url("https://a.example/one/two?q=1"), reference) == meaning
