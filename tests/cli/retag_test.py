#!/usr/bin/env python3
"""`racewatch retag` against a running `racewatch up` that is killed in the middle of it: the series in the end are those of an `up`
that had the new model from the start, the former ones stay under their version.

usage: retag_test.py RACEWATCH DATA_DIR
"""
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

from running_up import Up, wait_for

DATA = sys.argv.pop(2)
BINARY = sys.argv.pop(1)


def run(*args, **kwargs):
    return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=240, **kwargs)


class Retag(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = cls.folder.name
        cls.model = os.path.join(cls.path, 'new.model')
        done = run('train', '--corpus', os.path.join(DATA, 'passages_long.jsonl'), '--model-version', 'cli-test', '--rows', '20000', '--out', cls.model)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        articles = []
        for name in ('passages_en.jsonl', 'passages_zh.jsonl'):
            with open(os.path.join(DATA, name), encoding='utf-8') as file:
                articles += [json.loads(line) for line in file][:350]
        day = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() - 2 * 86400))
        lines = [json.dumps({'title': one['title'], 'text': one['text'], 'url': f'https://h{i % 40}.example/{i}', 'published': day, 'updated': day})
                 for i, one in enumerate(articles)]
        cls.first, cls.second = os.path.join(cls.path, 'first.jsonl'), os.path.join(cls.path, 'second.jsonl')
        cls.counts = (600, len(lines))
        for path, part in ((cls.first, lines[:600]), (cls.second, lines[600:])):
            with open(path, 'w', encoding='utf-8') as file:
                file.write('\n'.join(part) + '\n')

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def retag(self, up, *args):
        return run('retag', '--server', up.server, '--model', self.model, '--output', 'json', *args)

    def test_killed_in_the_middle_and_resumed_it_ends_as_if_tagged_so_from_the_start(self):
        up = Up(BINARY, self.path, 'retagged')
        self.addCleanup(up.stop)
        up.backfill(self.first, self.counts[0])
        slow = subprocess.Popen([BINARY, 'retag', '--server', up.server, '--model', self.model, '--rate', '100'], stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)
        covered = lambda: sum(one['covered'] for one in up.status().get('building', {}).get('partitions', []))
        wait_for(lambda: covered() > 100)
        up.kill()
        self.assertEqual(slow.wait(timeout=60), 69)
        slow.stderr.close()
        up.start()
        self.assertTrue(100 < covered() < self.counts[0], 'the kill came in the middle')
        up.backfill(self.second, self.counts[1])

        report = self.retag(up, '--no-switch')
        self.assertEqual(report.returncode, 0, report.stderr)
        report, end = (json.loads(line) for line in report.stdout.splitlines())
        self.assertEqual((report['compared'], report['replaces'], end['switched']), (self.counts[1], '1', False))
        self.assertGreater(report['changed'], 0)
        self.assertTrue(any(one['examples'] for one in report['series']))
        former = up.trends()
        for one in report['series']:
            series = [s for s in former if ','.join(f'{k}={v}' for k, v in s['key'].items() if v) == one['series']]
            if series:
                self.assertEqual(one['before'], sum(int(p['articles']) for p in series[0]['points']))

        done = self.retag(up)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout.splitlines()[-1]), {'generation': 1, 'model_version': 'cli-test', 'switched': True})
        again = self.retag(up)
        self.assertEqual((again.returncode, json.loads(again.stdout)['switched']), (0, True))
        self.assertEqual(up.metric('racewatch_retag_generation'), 0)

        fresh = Up(BINARY, self.path, 'fresh', f'classifier {{ model: "{self.model}" }}')
        self.addCleanup(fresh.stop)
        fresh.backfill(self.first, self.counts[0])
        fresh.backfill(self.second, self.counts[1])
        plain = lambda trends: [(s['key'], [(p['start'] if 'start' in p else None, p['articles'], p['publishers']) for p in s['points']]) for s in trends]
        self.assertEqual(plain(up.trends('--window', 'day')), plain(fresh.trends('--window', 'day')))
        self.assertEqual(plain(up.trends()), plain(fresh.trends()))
        self.assertEqual(plain(up.trends('--model-version', '1')), plain(former))
        self.assertNotEqual(plain(up.trends()), plain(former))

    def test_mistakes_are_one_line_with_their_exit_code(self):
        up = Up(BINARY, self.path, 'mistakes')
        self.addCleanup(up.stop)
        broken = os.path.join(self.path, 'broken.model')
        with open(broken, 'w', encoding='utf-8') as file:
            file.write('no model')
        tagger = os.path.join(self.path, 'tagger.txtpb')
        with open(tagger, 'w', encoding='utf-8') as file:
            file.write('classifier: "127.0.0.1:1"\n')
        for code, args in [(64, []), (64, ['--status', '--cancel']), (74, ['--model', self.model + '.absent']), (65, ['--model', broken]),
                           (78, ['--model', self.model, '--config', tagger]), (65, ['--cancel']), (64, ['--model', self.model, '--rate', '-1'])]:
            done = run('retag', '--server', up.server, *args)
            self.assertEqual(done.returncode, code, (args, done.stderr))
            self.assertEqual(len([line for line in done.stderr.splitlines() if not line.startswith('time=')]), 1, done.stderr)
        self.assertEqual(run('retag', '--server', '127.0.0.1:1', '--status').returncode, 69)
        self.assertEqual(json.loads(run('retag', '--server', up.server, '--status').stdout)['generations'], [])
        self.assertEqual(run('trends', '--server', up.server, '--model-version', 'none').returncode, 65)
        request = urllib.request.Request(f'http://{up.server}/api/v1/retag/begin', data=b'{"model_version":"x"}', headers={'Content-Type': 'text/plain'})
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=30)
        with caught.exception as answer:
            self.assertEqual(answer.code, 400)


if __name__ == '__main__':
    unittest.main()
