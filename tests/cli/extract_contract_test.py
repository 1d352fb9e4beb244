#!/usr/bin/env python3
"""The contract of `racewatch extract`: output, exit codes, one line on stderr, batch.

usage: extract_contract_test.py RACEWATCH
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

BINARY = sys.argv.pop(1)
TEXT = ''.join(f'<p>Paragraph {i} says what happened, who said so, and why readers should care about it.</p>' for i in range(6))
PAGE = ('<html lang="en"><head><title>Chips on the table | Harbour Post</title>'
        '<meta property="article:published_time" content="2026-03-14T09:26:53+01:00"><meta name="author" content="Ann Lee">'
        f'<link rel="canonical" href="/chips"></head><body><article><h1>Chips on the table</h1>{TEXT}</article></body></html>')


def run(*args, lines=''):
    return subprocess.run([BINARY, 'extract', *args], input=lines, capture_output=True, text=True, timeout=60)


class Extract(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.page = self.write('page.html', PAGE.encode())

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, content):
        path = os.path.join(self.folder.name, name)
        with open(path, 'wb') as file:
            file.write(content)
        return path

    def assert_fails(self, done, code):
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stdout, '')
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_page_is_one_json_line(self):
        done = run('--url', 'https://h.example/news/chips?utm_source=x', self.page)
        self.assertEqual((done.returncode, done.stderr, done.stdout.count('\n')), (0, '', 1))
        page = json.loads(done.stdout)
        self.assertEqual(page['title'], 'Chips on the table')
        self.assertEqual(page['published'], '2026-03-14T08:26:53Z')
        self.assertEqual(page['author'], 'Ann Lee')
        self.assertEqual(page['canonical_url'], 'https://h.example/chips')
        self.assertEqual((page['paywalled'], page['consent_wall']), (False, False))
        self.assertIn('Paragraph 5', page['text'])

    def test_works_without_url_and_gives_a_day_where_the_zone_is_unknown(self):
        path = self.write('zoneless.html', PAGE.replace('T09:26:53+01:00', ' 23:26').encode())
        self.assertEqual(json.loads(run(path).stdout)['published'], '2026-03-14')

    def test_no_page_exits_65(self):
        self.assert_fails(run(self.write('empty.html', b'')), 65)
        self.assert_fails(run(self.write('feed.xml', b'<rss><channel/></rss>')), 65)
        self.assert_fails(run(self.write('no_text.html', b'<html><body><img></body></html>')), 65)

    def test_missing_file_exits_74_and_wrong_usage_64(self):
        self.assert_fails(run(os.path.join(self.folder.name, 'absent')), 74)
        self.assert_fails(run(), 64)
        self.assert_fails(run('--nonsense', self.page), 64)
        self.assert_fails(run('--batch', self.page), 64)
        self.assertEqual(run('--help').returncode, 0)

    def test_batch_gives_a_line_for_each_file_and_exits_0(self):
        bad = self.write('empty.html', b'')
        done = run('--batch', lines='\n'.join([bad, self.page]))
        self.assertEqual(done.returncode, 0)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(['error' in line for line in lines], [True, False])
        self.assertEqual([line['file'] for line in lines], [bad, self.page])


if __name__ == '__main__':
    unittest.main()
