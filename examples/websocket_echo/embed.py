#!/usr/bin/env python3
"""Turns the demo's page into a C++ header: the bytes, and a Content-Security-Policy that allows just them.

The page holds one inline <style> and one inline <script>; the policy names both by their SHA-256, so that
nothing else can run, not even what somebody manages to inject.
"""
import base64
import hashlib
import re
import sys


def source_hash(page: str, tag: str) -> str:
    body = re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL).group(1)
    return "'sha256-" + base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() + "'"


def main(source: str, target: str) -> None:
    with open(source, encoding="utf-8") as file:
        page = file.read()
    policy = "; ".join([
        "default-src 'none'",
        "script-src " + source_hash(page, "script"),
        "style-src " + source_hash(page, "style"),
        "img-src data:",
        "connect-src 'self' ws: wss:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ])
    # One literal a line: compilers limit the length of one, and a readable header helps whoever opens it.
    lines = [line.replace("\\", "\\\\").replace('"', '\\"') for line in page.splitlines()]
    with open(target, "w", encoding="utf-8") as file:
        file.write("// Made by embed.py from page.html. Do not edit.\n#pragma once\n\n#include <string_view>\n\n")
        file.write(f'inline constexpr std::string_view page_policy =\n    "{policy}";\n\n')
        file.write("inline constexpr std::string_view page_html =\n")
        file.write("\n".join(f'    "{line}\\n"' for line in lines))
        file.write(";\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
