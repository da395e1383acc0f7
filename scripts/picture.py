#!/usr/bin/env python3
"""Draws docs/replay.svg: what `trafficmonitor replay` prints about a capture that this script makes.

    scripts/picture.py BINARY            writes docs/replay.svg
    scripts/picture.py BINARY --check    fails if docs/replay.svg is not what BINARY prints

The capture is a minute of a small office: web, DNS, backup and a host that scans a network. All addresses are private
or kept for documentation (RFC 5737, RFC 3849), and the file is the same bytes every time.
"""

import ipaddress
import struct
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "replay.svg"
START = 1_773_754_311  # 2026-03-17 13:31:51 UTC
SYN, SYN_ACK, ACK, RST_ACK = 0x02, 0x12, 0x10, 0x14

# ---- The capture ---------------------------------------------------------------------------------------------------


def ip_packet(source, destination, protocol, payload):
    """An IP packet without options; `payload` begins with the header of the transport."""
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if source.version == 6:
        head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64)
    else:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0)
    return head + source.packed + destination.packed + payload


def tcp(source_port, destination_port, flags, size=0):
    head = struct.pack("!HHIIBBHHH", source_port, destination_port, 0, 0, 5 << 4, flags, 65_535, 0, 0)
    return 6, head + bytes(size)


def udp(source_port, destination_port, size):
    return 17, struct.pack("!HHHH", source_port, destination_port, 8 + size, 0) + bytes(size)


def connection(begin, client, server, port, client_port, received, segments):
    """A TCP connection over which `segments` full segments arrive per round and the client acknowledges each round."""
    yield begin, client, server, tcp(client_port, port, SYN)
    yield begin + 0.01, server, client, tcp(port, client_port, SYN_ACK)
    yield begin + 0.02, client, server, tcp(client_port, port, ACK, 400)
    for at in range(received):
        time = begin + 0.03 + at * 0.02
        yield from ((time, server, client, tcp(port, client_port, ACK, 1_400)) for _ in range(segments))
        yield time + 0.01, client, server, tcp(client_port, port, ACK)


def traffic():
    """Time in seconds, source, destination and transport of each packet."""
    yield from connection(0.5, "10.0.0.124", "198.51.100.80", 443, 50_443, 900, 6)
    yield from connection(3.0, "10.0.0.17", "203.0.113.25", 443, 50_123, 320, 4)
    yield from connection(5.0, "fd00::124", "2001:db8::80", 443, 51_443, 240, 4)
    # The server receives a backup: most bytes go to it.
    yield from ((9 + at * 0.01, "10.0.0.124", "10.0.0.2", tcp(52_000, 445, SYN if at == 0 else ACK, 1_400))
                for at in range(700))
    yield from ((9.005 + at * 0.1, "10.0.0.2", "10.0.0.124", tcp(445, 52_000, SYN_ACK if at == 0 else ACK))
                for at in range(70))
    for at in range(40):
        yield 1 + at, "10.0.0.124", "10.0.0.1", udp(40_000 + at, 53, 32)
        yield 1.02 + at, "10.0.0.1", "10.0.0.124", udp(53, 40_000 + at, 96)
    yield from ((20 + at * 0.02, "10.0.0.17", "203.0.113.9", udp(4_500, 4_500, 172)) for at in range(600))
    # A host that looks for SSH servers: every fifth refuses, the others do not answer.
    for host in range(1, 41):
        yield 30 + host * 0.25, "10.0.0.66", f"192.0.2.{host}", tcp(41_000 + host, 22, SYN)
        if host % 5 == 0:
            yield 30.05 + host * 0.25, f"192.0.2.{host}", "10.0.0.66", tcp(22, 41_000 + host, RST_ACK)


def capture():
    """The bytes of a pcap file: Ethernet, microseconds."""
    records = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)]
    for time, source, destination, (protocol, payload) in sorted(traffic(), key=lambda packet: packet[0]):
        packet = ip_packet(source, destination, protocol, payload)
        frame = bytes(12) + struct.pack("!H", 0x86DD if ":" in source else 0x0800) + packet
        microseconds = round(time * 1_000_000)
        seconds, microseconds = divmod(microseconds, 1_000_000)
        records.append(struct.pack("<IIII", START + seconds, microseconds, len(frame), len(frame)) + frame)
    return b"".join(records)


def replay(binary):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "office.pcap").write_bytes(capture())
        command = [binary, "replay", "office.pcap", "--top", "8"]
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout

# ---- The drawing ---------------------------------------------------------------------------------------------------


WIDTH, LINE, MARGIN, HEAD = 8.43, 18, 20, 36
STYLE = (
    "text{font:14px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#d6deeb}"
    ".prompt{fill:#7fdbca}.head{fill:#82aaff;font-weight:bold}.alert{fill:#ffcb6b}"
)


def kind(line):
    """The class of a line: column heads stand in capital letters, alerts follow the line `Alerts`."""
    letters = [letter for letter in line if letter.isalpha()]
    return "head" if letters and all(letter.isupper() for letter in letters) else ""


def svg(text):
    lines = ["$ trafficmonitor replay office.pcap --top 8", "", *text.rstrip("\n").split("\n")]
    columns = max(len(line) for line in lines)
    width, height = round(columns * WIDTH + 2 * MARGIN), HEAD + len(lines) * LINE + MARGIN
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' role="img" aria-label="The table that trafficmonitor replay prints about a capture file">',
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#011627"/>',
        *(f'<circle cx="{20 + 18 * at}" cy="18" r="5" fill="{colour}"/>'
          for at, colour in enumerate(("#ff5f56", "#ffbd2e", "#27c93f"))),
    ]
    is_alert = False
    for at, line in enumerate(lines):
        name = "prompt" if at == 0 else kind(line) or ("alert" if is_alert else "")
        if line == "Alerts":
            name, is_alert = "head", True
        attribute = f' class="{name}"' if name else ""
        if line:
            # Spaces that no renderer folds.
            text = escape(line).replace(" ", "\N{NO-BREAK SPACE}")
            drawn.append(f'<text x="{MARGIN}" y="{HEAD + (at + 1) * LINE}"{attribute}>{text}</text>')
    return "\n".join([*drawn, "</svg>", ""])


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--check"]):
        sys.exit(__doc__)
    picture = svg(replay(str(Path(sys.argv[1]).resolve())))
    if sys.argv[2:] == ["--check"]:
        if PICTURE.read_text() != picture:
            sys.exit(f"{PICTURE} is not what the program prints: run {sys.argv[0]} {sys.argv[1]}")
    else:
        PICTURE.write_text(picture)


main()
