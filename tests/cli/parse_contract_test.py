#!/usr/bin/env python3
"""The contract of `racewatch parse`: output, exit codes, one line on stderr, batch.

usage: parse_contract_test.py RACEWATCH
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

BINARY = sys.argv.pop(1)
FEED = (b'<rss version="2.0"><channel><title>T</title><item><title>A &amp;amp; B</title><link>/1</link>'
        b'<pubDate>Tue, 03 Nov 2026 09:15 +0100</pubDate></item></channel></rss>')


def run(*args, lines=''):
    return subprocess.run([BINARY, 'parse', *args], input=lines, capture_output=True, text=True, timeout=60)


class Parse(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.feed = self.write('feed.xml', FEED)
        self.page = self.write('page.html', b'<html><body>no feed</body></html>')

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, content):
        path = os.path.join(self.folder.name, name)
        with open(path, 'wb') as file:
            file.write(content)
        return path

    def assert_fails(self, done, code):
        self.assertEqual(done.returncode, code)
        self.assertEqual(done.stdout, '')
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_feed_is_one_json_line(self):
        done = run('--base', 'https://t.example/feed', self.feed)
        self.assertEqual((done.returncode, done.stderr, done.stdout.count('\n')), (0, '', 1))
        self.assertEqual(json.loads(done.stdout), {
            'feed': {'format': 'rss20', 'title': 'T'},
            'entries': [{'title': 'A & B', 'link': 'https://t.example/1', 'published': '2026-11-03T08:15:00Z',
                         'published_precision': 'minute'}]})

    def test_no_feed_exits_65(self):
        self.assert_fails(run(self.page), 65)

    def test_missing_file_exits_74(self):
        self.assert_fails(run(os.path.join(self.folder.name, 'absent')), 74)
        self.assert_fails(run(self.folder.name), 74)

    def test_wrong_usage_exits_64(self):
        self.assert_fails(run(), 64)
        self.assert_fails(run('--nonsense', self.feed), 64)
        self.assert_fails(run('--batch', self.feed), 64)

    def test_help_exits_0(self):
        done = run('--help')
        self.assertEqual(done.returncode, 0)
        self.assertIn('--content-type', done.stdout)

    def test_batch_gives_a_line_for_each_file_and_exits_0(self):
        absent = os.path.join(self.folder.name, 'absent')
        done = run('--batch', lines='\n'.join([self.page, self.feed, absent, self.feed]))
        self.assertEqual(done.returncode, 0)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([line['file'] for line in lines], [self.page, self.feed, absent, self.feed])
        self.assertEqual(['error' in line for line in lines], [True, False, True, False])
        self.assertEqual(lines[1]['entries'], lines[3]['entries'])

    def test_content_type_applies_to_the_batch(self):
        path = self.write('koi8.xml', '<rss><channel><title>Новости</title></channel></rss>'.encode('koi8-r'))
        done = run('--batch', '--content-type', 'text/xml; charset=koi8-r', lines=path)
        self.assertEqual(json.loads(done.stdout)['feed']['title'], 'Новости')


if __name__ == '__main__':
    unittest.main()
