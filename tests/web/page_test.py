#!/usr/bin/env python3
"""The web page in a real browser over a canned API: what it shows is what the API said, and nothing from an
article can run or lead anywhere but to http(s).

Exit status 0 passed, 1 failed, 77 skipped (needs chromium).
"""
import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOUR = '2026-03-04T15:00:00Z'
TITLE = 'Chips <img src=x onerror="document.title=\'owned\'"> and rules'
TEXT = '芯片出口：美国收紧规则。The rule covers rented chips.'


def span(word):
    """Evidence at the first occurrence of `word`, as the classifier counts: bytes of title + newline + text."""
    start = len((TITLE + '\n').encode()) + TEXT.encode().find(word.encode())
    return {'label': 'theme:chips_compute', 'start': start, 'length': len(word.encode()), 'weight': 2.5}


def article(number, url, relevant=True):
    tags = {'relevance': {'label': relevant, 'score': 0.9}, 'themes': [], 'stance': [], 'evidence': []}
    if relevant:
        tags.update(themes=[{'id': 'chips_compute', 'score': 0.8}], lean={'label': 'us', 'score': 0.7},
                    stance=[{'target': 'export_controls', 'position': 'favor', 'score': 0.6}],
                    evidence=[span('芯片出口'), span('rented chips')])
    return {'article': {'id': f'{number:032x}', 'url': url, 'title': TITLE, 'text': TEXT, 'language': 'zh',
                        'publisher': 'post.example', 'published': HOUR, 'content_hash': f'{number:016x}'}, 'tags': tags}


def series(count, **key):
    full = dict.fromkeys(('theme', 'target', 'position', 'lean', 'language', 'publisher_group'), '')
    return {'key': {**full, **key}, 'points': [{'start': HOUR, 'articles': str(count), 'stories': '1', 'publishers': 1,
                                                'share': 0.5, 'coverage': 1}]}


ANSWERS = {
    'trends': {'model_version': 'model-7', 'series': [
        series(41, theme='chips_compute'), series(7, theme='markets'), series(12, target='export_controls', position='favor'),
        series(5, target='export_controls', position='against'), series(30, lean='neutral'), series(23, lean='us')]},
    'alerts': {'alerts': [{'id': 'a' * 32, 'rule': 'burst', 'state': 'ALERT_STATE_OPEN', 'series': {'theme': 'chips_compute'},
                           'window': '1h', 'observed': 41, 'expected': 3.2, 'publishers': 9, 'stories': 6, 'opened_at': HOUR,
                           'evidence': [{'title': TITLE, 'url': 'javascript:document.title="owned"', 'publisher': 'post.example'}]}]},
    'coverage': {'points': [{'start': HOUR, 'publisher_group': 'all', 'seen': 9, 'expected': 12}]},
    'feeds': {'feeds': [{'id': 'http://post.example/feed', 'title': 'Post', 'state': 'failing', 'reason': 'http_503', 'failures': 4}]},
}


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        address = urllib.parse.urlparse(self.path)
        if not address.path.startswith('/api/v1/'):
            return super().do_GET()
        name = address.path[len('/api/v1/'):]
        if name == 'articles/watch':
            messages = [] if 'follow' not in address.query else [
                article(1, 'http://post.example/1'), article(2, 'javascript:document.title="owned"'), article(3, 'http://post.example/3', False)]
            lines = ''.join(json.dumps({'article': a, 'resume_token': str(i + 1)}) + '\n' for i, a in enumerate(messages))
            return self.answer(lines, 'application/x-ndjson')
        return self.answer(json.dumps(ANSWERS[name]), 'application/json')

    def answer(self, text, kind):
        body = text.encode()
        self.send_response(200)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def dump(port):
    with tempfile.TemporaryDirectory() as profile:
        command = ['chromium', '--headless=new', '--no-sandbox', '--disable-gpu', f'--user-data-dir={profile}',
                   '--virtual-time-budget=6000', '--dump-dom', f'http://127.0.0.1:{port}/']
        return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False).stdout


def main():
    if not shutil.which('chromium'):
        print('needs chromium')
        return 77
    handler = functools.partial(Handler, directory=os.path.join(ROOT, 'store/page'))
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = dump(server.server_port)
    server.shutdown()
    found = 0

    def expect(condition, what):
        nonlocal found
        if not condition:
            print('not so:', what)
            found = 1

    expect(re.search(r'id="tile-relevant"[^>]*><b[^>]*>53</b>', page), 'relevant articles are the sum of the leans')
    expect(re.search(r'id="tile-coverage"[^>]*><b[^>]*>75 %</b>', page), 'coverage is seen over expected')
    expect(re.search(r'id="tile-alerts"[^>]*><b[^>]*>1</b>', page), 'one alert is open')
    expect('41 articles in 1h, 3.2 expected' in page and '9 publishers' in page, 'the alert says what it saw')
    expect(re.search(r'<span>Chips and compute</span><b>41</b>', page), 'themes carry their counts')
    expect('aria-label="for 12, both sides 0, against 5, unsure 0"' in page, 'stance is split by position')
    expect('<mark>芯片出口</mark>' in page and '<mark>rented chips</mark>' in page, 'evidence is marked at its byte offsets')
    expect('failing: http_503' in page, 'feed health is shown')
    expect('model-7' in page, 'the model is named')
    expect(len(re.findall(r'<li class="article', page)) == 2, 'other news stays out of the ticker until asked for')
    expect('<title>racewatch</title>' in page and '<img src="x"' not in page, 'markup in a title is text')
    expect('href="/demo/post.example/1"' in page, 'the demo week\'s articles open on this server')
    expect('href="javascript:' not in page, 'only http(s) addresses become links')
    if found:
        print(page[:2000])
    return found


if __name__ == '__main__':
    sys.exit(main())
