#!/usr/bin/env python3
"""A second tier (a language model of random weights, made for this test) in the commands and in a running `racewatch up`.

usage: second_tier_test.py RACEWATCH DATA_DIR TINY_MODEL_FILES
"""
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest

from running_up import Up

MAKER = sys.argv.pop(3)
DATA = sys.argv.pop(2)
BINARY = sys.argv.pop(1)
RELEVANT = {'id': 'r', 'title': 'Washington tightens export controls on AI chips bound for China',
            'text': 'The United States will tighten export controls on advanced AI chips sold to China. Officials said the rules must close '
                    'loopholes that let Chinese firms buy GPUs through third countries.'}
OTHER = {'id': 'o', 'title': 'Lemon cake', 'text': 'Whisk the eggs with sugar and fold in the flour.'}


class WithTinyModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = cls.folder.name
        subprocess.run([MAKER, cls.path], check=True)
        cls.tiny = os.path.join(cls.path, 'tiny.gguf')
        cls.environment = {**os.environ, 'RACEWATCH_ADAPTER': os.path.join(cls.path, 'tiny.adapter')}
        cls.model = os.path.join(DATA, 'racewatch-1.model')

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def run_it(self, *args, **kwargs):
        return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=240, env=kwargs.pop('env', self.environment), **kwargs)


class Commands(WithTinyModel):
    def tag(self, *args):
        done = self.run_it('tag', *args, input=json.dumps(RELEVANT) + '\n' + json.dumps(OTHER) + '\n')
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_tag_says_what_the_second_tier_read(self):
        plain, read = self.tag(), self.tag('--second-tier', self.tiny)
        self.assertEqual([one['model_version'] for one in plain + read], ['1', '1', '1+s1', '1+s1'])
        self.assertEqual([one.get('second_tier') for one in plain + read], [None, None, 's1', None])
        self.assertEqual(plain[0]['themes'], read[0]['themes'])
        self.assertNotEqual(plain[0]['lean']['score'], read[0]['lean']['score'])
        self.assertEqual(read, self.tag('--second-tier', self.tiny))

    def test_scores_are_those_of_every_label(self):
        plain, read = self.tag('--scores'), self.tag('--scores', '--second-tier', self.tiny)
        relevant, other = (one['scores'] for one in plain)
        self.assertNotEqual(relevant, read[0]['scores'])
        self.assertEqual(other, read[1]['scores'])
        for one in (plain[0], read[0]):
            self.assertEqual(one['scores']['relevance'], one['relevance']['score'])
            self.assertEqual({t['id']: one['scores']['themes'][t['id']] for t in one['themes']}, {t['id']: t['score'] for t in one['themes']})
        for scores in (relevant, read[0]['scores'], other):
            self.assertEqual([len(scores[key]) for key in ('themes', 'stance', 'lean')], [19, 5, 3])
            for sides in scores['stance'].values():
                self.assertEqual(list(sides), ['favor', 'against', 'neutral'])
                self.assertLessEqual(sum(sides.values()), scores['relevance'] + 1e-9)
        self.assertAlmostEqual(sum(relevant['lean'].values()), 1, 6)
        self.assertEqual(sum(other['lean'].values()), 0)  # far from relevant, read no further
        self.assertGreater(relevant['stance']['export_controls']['favor'], 0)
        self.assertNotIn('scores', self.tag()[0])

    def test_eval_and_explain_take_it_too(self):
        probes = os.path.join(self.path, 'probes.jsonl')
        probe = {'id': 'p', 'kind': 'negation', 'a': RELEVANT, 'b': RELEVANT, 'expect': {'field': 'lean', 'a': 'us', 'b': 'us'}}
        with open(probes, 'w', encoding='utf-8') as file:
            file.write(json.dumps(probe) + '\n')
        done = self.run_it('eval', '--probes', probes, '--second-tier', self.tiny)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('negation', done.stdout)
        done = self.run_it('explain', '--second-tier', self.tiny, input=json.dumps(RELEVANT))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('relevance', done.stdout)

    def test_up_takes_it_over_its_configuration(self):
        config = os.path.join(self.path, 'up.txtpb')
        with open(config, 'w', encoding='utf-8') as file:
            file.write('ingest { feeds { url: "http://127.0.0.1/feed" } } classifier { second_tier { model: "other.gguf" budget_ms: 700 } }')
        done = self.run_it('up', '--config', config, '--second-tier', self.tiny, '--check')
        self.assertEqual(done.returncode, 0, done.stderr)
        second = done.stdout[done.stdout.index('second_tier {'):]
        self.assertIn(f'model: "{self.tiny}"', second)
        self.assertIn('budget_ms: 700', second)
        self.assertNotIn('other.gguf', done.stdout)

    def test_mistakes_are_one_line_with_their_exit_code(self):
        text = os.path.join(self.path, 'text.gguf')
        with open(text, 'w', encoding='utf-8') as file:
            file.write('no language model, but long enough to be looked at')
        shipped = {k: v for k, v in self.environment.items() if k != 'RACEWATCH_ADAPTER'}
        for code, path, environment, said in [(74, self.tiny + '.absent', self.environment, 'tiny.gguf.absent'), (65, text, self.environment, 'not a GGUF file'),
                                              (65, self.tiny, shipped, 'the adapter was trained for')]:
            done = self.run_it('tag', '--second-tier', path, input=json.dumps(RELEVANT), env=environment)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(said, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


class RunningUp(WithTinyModel):
    def test_a_retag_puts_it_in_service_and_the_series_are_those_of_an_up_that_always_had_it(self):
        with open(os.path.join(DATA, 'passages_en.jsonl'), encoding='utf-8') as file:
            articles = [json.loads(line) for line in file][:160]
        day = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() - 2 * 86400))
        lines = [json.dumps({'title': one['title'], 'text': one['text'], 'url': f'https://h{i % 40}.example/{i}', 'published': day, 'updated': day})
                 for i, one in enumerate(articles)]
        first, second = os.path.join(self.path, 'first.jsonl'), os.path.join(self.path, 'second.jsonl')
        for path, part in ((first, lines[:120]), (second, lines[120:])):
            with open(path, 'w', encoding='utf-8') as file:
                file.write('\n'.join(part) + '\n')

        plain = lambda trends: [(s['key'], [(p.get('start'), p['articles']) for p in s['points']]) for s in trends]
        read = lambda one: one.metric('racewatch_classifier_second_tier_documents_total{outcome="read"}')
        up = Up(BINARY, self.path, 'retagged', environment=self.environment)
        self.addCleanup(up.stop)
        up.backfill(first, 120)
        former = plain(up.trends())
        self.assertEqual(read(up), 0)
        retag = lambda *args: self.run_it('retag', '--server', up.server, '--model', self.model, '--output', 'json', *args)
        done = retag('--second-tier', self.tiny)
        self.assertEqual(done.returncode, 0, done.stderr)
        report, end = (json.loads(line) for line in done.stdout.splitlines())
        self.assertEqual((report['compared'], end), (120, {'generation': 1, 'model_version': '1+s1', 'switched': True}))
        self.assertGreater(report['changed'], 0)
        up.backfill(second, 160)
        self.assertGreater(read(up), 0, 'what comes in later is read too')

        always = Up(BINARY, self.path, 'always', f'classifier {{ second_tier {{ model: "{self.tiny}" budget_ms: 60000 }} }}', self.environment)
        self.addCleanup(always.stop)
        always.backfill(first, 120)
        always.backfill(second, 160)
        self.assertGreater(read(always), read(up))
        self.assertEqual(plain(up.trends('--window', 'day')), plain(always.trends('--window', 'day')))
        self.assertEqual(plain(up.trends()), plain(always.trends()))
        self.assertEqual(plain(up.trends('--model-version', '1')), former)
        self.assertNotEqual(plain(up.trends()), former)

        done = retag()
        self.assertEqual((done.returncode, json.loads(done.stdout.splitlines()[-1])),
                         (0, {'generation': 2, 'model_version': '1', 'switched': True}), done.stderr)
        self.assertNotEqual(plain(up.trends()), plain(always.trends()), 'without --second-tier it is taken out again')


if __name__ == '__main__':
    unittest.main()
