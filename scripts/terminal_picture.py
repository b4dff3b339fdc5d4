#!/usr/bin/env python3
"""A terminal's text as an SVG picture: terminal_picture.py < TEXT > FILE.svg

TEXT is what `tmux capture-pane -p` prints. Trailing empty lines are left out; colours are not kept.
"""
import re
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN = 8.4, 18, 14  # of a character and a line, pixels


def main():
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sys.stdin.read()).rstrip()
    lines = [line.rstrip() for line in text.split("\n")]
    width = 2 * MARGIN + WIDTH * max(map(len, lines))
    height = 2 * MARGIN + HEIGHT * len(lines)
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}">')
    print(f'<rect width="100%" height="100%" rx="8" fill="#14181d"/>')
    print('<g fill="#dfe5ec" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" style="white-space: pre">')
    for number, line in enumerate(lines):
        if line:
            print(f'<text x="{MARGIN}" y="{MARGIN + HEIGHT * (number + 0.75):.1f}" textLength="{WIDTH * len(line):.1f}">{escape(line)}</text>')
    print("</g>\n</svg>")


if __name__ == "__main__":
    main()
